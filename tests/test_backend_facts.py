"""What the backend says of itself: who stands in its place, and what it takes."""

from __future__ import annotations

from pathlib import Path

from children import measuring


def test_who_stands_in_the_place_of_the_hooks_is_named():
    readings = measuring("""
        from allocmeter import is_installed

        def reading():
            info = backend_info()
            return [info.hook_position, info.displaced_by, info.displacements, is_installed()]

        readings = [reading()]
        tracemalloc.start()  # below
        install()
        readings.append(reading())
        tracemalloc.stop()
        readings.append(reading())
        one_block()
        readings.append(reading())
        uninstall()
        install()
        tracemalloc.start()  # above
        readings.append(reading())
        print(json.dumps(readings))
    """)
    _, place, _, _ = readings[2]
    assert readings == [
        ["not installed", None, 0, False],
        ["on top", None, 0, True],
        ["removed", place, 0, False],
        ["on top", None, 1, True],
        ["wrapped", "tracemalloc", 1, True],
    ]
    assert Path(place).exists()  # the interpreter's own allocators are back


def test_the_ledger_is_as_large_as_the_blocks_that_are_alive_need_it():
    before, during, after = measuring("""
        def size():
            info = backend_info()
            return [info.ledger_entries, info.ledger_bytes, info.ledger_reserved_bytes,
                    info.scopes_kept]

        with measure():
            first = bytes(1)
        readings = [size()]
        with measure() as scope:
            blocks = [bytes(1000) for _ in range(20_000)]
        readings.append(size())
        del first, blocks
        gc.collect()
        readings.append(size())
        print(json.dumps(readings))
    """)
    for entries, resident, reserved, _ in (before, during, after):
        assert entries > 0
        assert entries * 4 <= resident <= reserved
    assert 20_000 <= during[0] - before[0] < 20_500
    # Four bytes for each 16 of the 20 MB, to the page.
    assert 4_000_000 < during[1] - before[1] < 8_000_000
    assert abs(after[0] - before[0]) < 500
    assert (before[3], during[3]) == (1, 2)
