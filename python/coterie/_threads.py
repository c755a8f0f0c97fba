"""The engine's pool of threads, also for those who limit threads through threadpoolctl."""

from __future__ import annotations

from coterie import _core


def num_threads() -> int:
    """Threads that a call on the CPU uses.

    At first ``COTERIE_NUM_THREADS``, else ``OMP_NUM_THREADS``, else the processors that this
    process may use. The number never changes a result.
    """
    return _core.num_threads()


def set_num_threads(threads: int) -> None:
    """Sets :func:`num_threads` for this process; 0 goes back to the first value."""
    _core.set_num_threads(threads)


def _make_known_to_threadpoolctl() -> None:
    try:
        from threadpoolctl import LibController, register
    except ImportError:  # older than 3.2
        return

    class CoteriePool(LibController):
        user_api = "coterie"
        internal_api = "coterie"
        filename_prefixes = ("_core",)
        check_symbols = ("coterie_get_num_threads",)  # other packages have a _core too

        def get_num_threads(self) -> int:
            return int(self.dynlib.coterie_get_num_threads())

        def set_num_threads(self, num_threads: int) -> None:
            self.dynlib.coterie_set_num_threads(num_threads)

        def get_version(self) -> str:
            return _core.version()

    register(CoteriePool)


_make_known_to_threadpoolctl()
