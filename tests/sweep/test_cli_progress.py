"""The meter of a run: what it says, and how often."""

from sweep.cli.progress import EVERY, Meter, State, line


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_rate_and_time_left_count_from_where_the_session_began():
    first, now = State(50, 100, 1_000_000), State(60, 100, 1_200_000, 3_000_000, 7)
    assert line(first, now, 10.0) == "60 %, 1,200,000 rows, 20,000 rows/s, 40 s left, 3 MB, 7 infeasible"


def test_no_time_left_is_claimed_before_anything_is_done():
    assert line(State(1, 4, 50), State(1, 4, 50), 1.0) == "25 %, 50 rows, waiting for the next part"


def test_a_pipe_gets_a_line_every_few_seconds_and_nothing_when_quiet(capsys):
    clock = Clock()
    for quiet in (False, True):
        with Meter(quiet=quiet, clock=clock) as meter:
            for done in range(11):
                meter(State(done, 10, 1000 * done))
                clock.now += EVERY / 2
        streams = capsys.readouterr()
        assert streams.out == ""
        assert len(streams.err.splitlines()) == (0 if quiet else 5)


def test_the_rate_leaves_out_the_start_of_ray(capsys):
    clock = Clock()
    with Meter(quiet=False, clock=clock) as meter:
        meter(State(0, 10, 0))
        clock.now += 100.0  # Ray starts
        meter(State(1, 10, 1000))
        clock.now += EVERY
        meter(State(2, 10, 6000))
    waiting, going = capsys.readouterr().err.splitlines()
    assert "waiting" in waiting
    assert "1,000 rows/s" in going
    assert "40 s left" in going


def test_another_phase_has_a_pace_of_its_own(capsys):
    clock = Clock()
    with Meter(quiet=False, clock=clock) as meter:
        for what, pace in (("designs", 1), ("choices", 1000)):
            for done in range(1, 4):
                meter(State(done * pace, 10 * pace, done * pace, what=what))
                clock.now += EVERY
    lines = capsys.readouterr().err.splitlines()
    assert "0 designs/s" in lines[1]
    assert f"{1000 / EVERY:,.0f} choices/s" in lines[-1]
