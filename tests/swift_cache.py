"""Swift's cache within its one proxy process: a real one is memcached, which the tests would have to install."""

import time


class Cache:
    memcache_servers = ()

    def __init__(self):
        self._values = {}

    def get(self, key, **_):
        value, ends = self._values.get(key, (None, 0))
        return value if not ends or ends > time.time() else None

    def set(self, key, value, time=0, **_):
        self._values[key] = (value, self._end(time))

    def incr(self, key, delta=1, time=0, **_):
        value = max(0, int(self.get(key) or 0) + int(delta))
        self._values[key] = (value, self._end(time))
        return value

    def decr(self, key, delta=1, time=0, **_):
        return self.incr(key, -int(delta), time)

    def delete(self, key, **_):
        self._values.pop(key, None)

    def get_multi(self, keys, *_, **__):
        return [self.get(key) for key in keys]

    def set_multi(self, mapping, *_, **__):
        self._values.update({key: (value, 0) for key, value in mapping.items()})

    @staticmethod
    def _end(seconds):
        return time.time() + seconds if seconds else 0


def filter_factory(_, **__):
    cache = Cache()

    def wrap(app):
        def answer(environ, start_response):
            environ["swift.cache"] = cache
            return app(environ, start_response)

        return answer

    return wrap
