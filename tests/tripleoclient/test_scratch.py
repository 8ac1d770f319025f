from tripleo_ffwd.embedded import overcloud
def test_it(cloud, clients, swift):
    queens = clients["queens"]
    environments = [word for path in overcloud.queens_environments(cloud.site) for word in ("-e", str(path))]
    for extra in ((),):
        done = queens("overcloud", "ffwd-upgrade", "converge", "--yes", "--templates", str(overcloud.PLAN_DIR), *environments, *extra)
        print(done.code, done.said[-3000:])
    print(sorted(swift.files("overcloud"))[:60]); print(swift.files("overcloud")["plan-environment.yaml"].decode())
    assert 0
