"""`python -m pipeline.stream` as a user runs it: pipes, growing files, interrupts, kill -9."""

import io
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from pipeline.base.errors import UserError
from pipeline.base.interrupt import listen_for_interrupts
from pipeline.base.text import show_number
from pipeline.command.arguments import run_entry
from pipeline.command.served import ServedRun, fetch_model
from pipeline.command.stream import MANUAL, Arguments, stream_rows
from pipeline.serving.stream import Stream
from tests.commands import SECONDS, run_command, start_command
from tests.kafka_server import read_answers, run_kafka
from tests.redis_server import address_of, run_redis

ROOT = Path(__file__).resolve().parent.parent
AIRLINE = (ROOT / "data" / "airline.csv").read_text().splitlines()
NEW = ["1961-01-01,450", "1961-02-01,418", "1961-03-01,472", "1961-04-01,487", "1961-05-01,500", "1961-06-01,579"]


@dataclass(frozen=True)
class Place:
    """A folder with a store that holds one sweep."""

    folder: Path

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    @property
    def runs(self) -> dict[str, Run]:
        """The runs of one step ahead by `stateful`, and the sweep above them by `sweep`."""
        client = MlflowClient(self.uri)
        experiment = client.get_experiment_by_name("lstm-pipeline")
        assert experiment is not None
        found = client.search_runs([experiment.experiment_id])
        return {
            run.data.params.get("stateful", "sweep"): run for run in found if run.data.params.get("horizon", "1") == "1"
        }

    def run_id(self, stateful: str = "true") -> str:
        return str(self.runs[stateful].info.run_id)

    def start(self, *arguments: str, **settings: Any) -> "subprocess.Popen[str]":
        """Start `python -m pipeline.stream ARGUMENTS` with pipes."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        environment = {**os.environ, "MLFLOW_TRACKING_URI": self.uri} | settings.pop("environment", {})
        return start_command("pipeline.stream", *arguments, cwd=self.folder, env=environment, **pipes | settings)

    def stream(self, *arguments: str, lines: Sequence[str]) -> tuple[int, str, str]:
        """Stream some lines; return exit code, output and complaints."""
        with self.start(*arguments) as process:
            output, complaints = process.communicate("".join(f"{line}\n" for line in lines), timeout=SECONDS)
        return process.returncode, output, complaints

    def expected(self, lines: Sequence[str], warm: bool = False, stateful: str = "true") -> list[float]:
        """Forecast the same rows in this process."""
        stream = Stream(fetch_model(ServedRun(run=self.run_id(stateful), uri=self.uri)), warm, complain)
        return [float(forecast[0]) for _, forecast in stream.answer(lines)]


@pytest.fixture(scope="module")
def place(served_sweep: Any) -> Place:
    return Place(served_sweep.folder)


@pytest.fixture(scope="module")
def cold(place: Place) -> pd.DataFrame:
    """The answers of a cold stream to the whole airline series and some months more."""
    code, output, complaints = place.stream(f"run={place.run_id()}", "start=cold", lines=[*AIRLINE, *NEW])
    assert (code, complaints) == (0, "")
    return table(output)


def complain(text: str) -> None:
    """Fail, unless it is about forecasts that became worse: rows of noise make them so."""
    assert text.startswith("drift ("), text


FORECASTS = ["lane", "timestamp", "forecast"]
HEADER = ",".join([*FORECASTS, "low_80", "high_80", "low_95", "high_95"])


def table(output: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(output))


def read_line(process: "subprocess.Popen[str]") -> str:
    """Read one line of the output, which must come although nothing more was written."""
    assert process.stdout is not None
    patience = threading.Timer(SECONDS, process.kill)
    patience.start()
    line = process.stdout.readline()
    patience.cancel()
    assert line, "no answer came"
    return line.rstrip("\n")


def test_a_cold_stream_forecasts_the_numbers_of_predictions_csv(place: Place, cold: pd.DataFrame) -> None:
    """What is served is another network, scaler or seed than the one that was scored."""
    assert ",".join(cold.columns) == HEADER
    assert (cold["lane"] == "airline").all()
    assert cold["timestamp"].tolist() == [line.split(",")[0] for line in (*AIRLINE[1:], *NEW)]
    client = MlflowClient(place.uri)
    seeds, predictions = (
        pd.read_csv(client.download_artifacts(place.run_id(), name)) for name in ("seeds.csv", "predictions.csv")
    )
    best = int(seeds.loc[seeds["validation_rmse"].idxmin(), "seed"])
    scored = predictions.set_index("timestamp")[f"seed_{best}"]
    # A row is answered with the forecast of the row after it.
    served = pd.Series(cold["forecast"].to_numpy()[:-1], index=cold["timestamp"][1:])
    assert len(scored) > 100
    assert served[scored.index].to_numpy() == pytest.approx(scored.to_numpy(), rel=1e-5)


def test_a_stream_ends_where_its_forecasts_drift(place: Place) -> None:
    """Whoever relies on exit_on=drift to stop what acts on the forecasts goes on with those of another world."""
    months = pd.date_range("1961-01-01", periods=36, freq="MS")
    rows = ["month,passengers", *(f"{month:%Y-%m-%d},{120 + 7 * number}" for number, month in enumerate(months))]
    arguments = (f"run={place.run_id()}", "exit_on=drift", "state=drift.npz")
    code, output, complaints = place.stream(*arguments, lines=rows)
    assert (code, len(table(output))) == (3, len(months))
    assert re.match(r"drift \(lane airline, 196\d-\d\d-01\): (forecasts|errors) are too \w+; RMSE \d", complaints)
    code, _, complaints = place.stream(*arguments, lines=rows)  # again: it is known, and told already
    assert code == 0 and "drift (" not in complaints


def test_each_row_is_answered_at_once_and_ctrl_c_keeps_the_state(place: Place, cold: pd.DataFrame) -> None:
    """Answers wait for more rows, or for a full buffer; Ctrl-C loses what was read."""
    arguments = (f"run={place.run_id()}", "start=cold", "state=pinged.npz")
    with place.start(*arguments) as process:
        assert process.stdin is not None and process.stderr is not None
        assert read_line(process) == HEADER
        process.stdin.write(AIRLINE[0] + "\n")
        for line, expected in zip(AIRLINE[1:41], cold.itertuples(), strict=False):
            process.stdin.write(line + "\n")
            process.stdin.flush()
            lane, timestamp, forecast, *_ = read_line(process).split(",")
            assert (lane, timestamp) == ("airline", line.split(",")[0])
            assert float(forecast or "nan") == pytest.approx(expected.forecast, rel=1e-6, nan_ok=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130
        assert process.stderr.read() == "interrupted\n"
    code, output, complaints = place.stream(*arguments, lines=[*AIRLINE, *NEW])  # everything again
    assert code == 0
    assert complaints.splitlines() == [
        "state=pinged.npz: 1 lane(s), which have consumed 40 row(s): airline 40",
        "line 2 (lane airline, 1949-01-01) was read before this stream began: skipped, as are all such rows",
        "40 row(s) were known already, 0 could not be used",
    ]
    pd.testing.assert_frame_equal(table(output), cold[40:].reset_index(drop=True), rtol=1e-6)


def test_a_growing_file_is_followed_after_the_history_until_sigterm(
    place: Place, cold: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows that are added to a file are not seen, or half a row is read; TensorFlow is imported to answer them."""
    path = place.folder / "growing.csv"
    path.write_text(f"{AIRLINE[0]}\n{NEW[0]}\n{NEW[1][:7]}")
    arguments = (f"run={place.run_id()}", "input=growing.csv", "state=grown.npz")
    told, told_imports = place.folder / "told.txt", {"PYTHONPROFILEIMPORTTIME": "1"}  # more than a pipe holds
    with (
        told.open("w") as file,
        place.start(*arguments, fresh=True, environment=told_imports, stdin=None, stderr=file) as process,
    ):
        answers = [read_line(process), read_line(process)]
        with path.open("a") as file:
            print(NEW[1][7:], NEW[2], sep="\n", file=file)
        answers += [read_line(process), read_line(process)]
        with path.open("a") as file:
            print(*NEW[3:], sep="\r\n", end="", file=file)  # the last line has no end yet
        answers += [read_line(process), read_line(process)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
    imported = told.read_text()
    assert "pipeline.serving.stream" in imported
    assert re.search(r"\| +(tensorflow|keras|matplotlib)\b", imported) is None
    answered, expected = table("\n".join(answers)), cold[144:149].reset_index(drop=True)
    pd.testing.assert_frame_equal(answered[FORECASTS], expected[FORECASTS], rtol=1e-5)
    assert (answered["low_95"] < answered["low_80"]).all() and (answered["high_80"] < answered["high_95"]).all()
    with path.open("a") as file:
        print("", file=file)
    resumed = Arguments(
        run=place.run_id(), uri=place.uri, input=str(path), follow=False, state=place.folder / "grown.npz"
    )
    assert stream_rows(resumed) == 0
    resumed_rows = table(capsys.readouterr().out)
    pd.testing.assert_frame_equal(resumed_rows[FORECASTS], cold[149:][FORECASTS].reset_index(drop=True), rtol=1e-5)


def make_many_rows(lanes: Sequence[str], months: int) -> list[str]:
    times = pd.date_range("1800-01-01", periods=months, freq="MS").strftime("%Y-%m-%d")
    values = np.random.default_rng(0).integers(100, 600, size=(months, len(lanes)))
    return [
        f"{lane},{time},{value}"
        for time, row in zip(times, values, strict=True)
        for lane, value in zip(lanes, row, strict=True)
    ]


def test_after_kill_9_a_replay_gives_the_same_forecasts(place: Place) -> None:
    """A crash leaves half a state file, or one that is ahead of what was answered: forecasts are lost or wrong."""
    lanes = ["a", "b,c", 'd"e']
    quoted = ["a", '"b,c"', '"d""e"']
    rows = make_many_rows(quoted, months=2400)
    lines = ["lane,month,passengers", *rows]
    state, answers = place.folder / "killed.npz", place.folder / "killed.csv"
    arguments = (f"run={place.run_id()}", "start=cold", "state=killed.npz")
    with answers.open("w") as file, place.start(*arguments, stdout=file) as process:
        assert process.stdin is not None
        written, seen = 0, set()
        while len(seen) < 2 and written < len(lines):  # the file appeared, and was replaced
            process.stdin.write("".join(f"{line}\n" for line in lines[written : written + 7]))
            process.stdin.flush()
            written += 7
            time.sleep(0.01)
            if state.exists():
                seen.add(state.stat().st_mtime_ns)
        process.kill()
        process.stdin.close()
    assert process.returncode == -signal.SIGKILL
    assert len(seen) == 2, "the state was not saved often enough"
    before = answers.read_text()
    code, output, complaints = place.stream(*arguments, lines=lines)
    assert code == 0
    consumed = int(complaints.split("consumed ")[1].split()[0])
    assert 0 < consumed < written
    # What is recorded as consumed had been answered; the kernel may hold the first half of one more line.
    first = table(before[: before.rindex("\n") + 1])
    assert len(first) >= consumed
    second = table(output)
    assert len(second) == len(rows) - consumed
    expected = np.array(place.expected(lines))
    np.testing.assert_allclose(first["forecast"], expected[: len(first)], rtol=1e-5)
    np.testing.assert_allclose(second["forecast"], expected[consumed:], rtol=1e-5)
    assert second["lane"].tolist() == (lanes * len(rows))[consumed : len(rows)]


@pytest.mark.thorough
def test_after_kill_9_a_stream_of_redis_has_each_answer_once(place: Place, tmp_path: Path) -> None:
    """A kill between Redis and the state file doubles or loses forecasts of the command as people start it."""
    lanes = ["a", "b"]
    rows = [row.split(",") for row in make_many_rows(lanes, months=2400)]
    with run_redis(tmp_path) as client:
        arguments = [f"run={place.run_id()}", "start=cold", f"state={tmp_path / 'killed.npz'}"]
        arguments += [f"input={address_of(client, 'rows')}", f"output={address_of(client, 'out')}"]

        def send(first: int, count: int) -> None:
            pipeline = client.pipeline()
            for place, (lane, month, value) in enumerate(rows[first : first + count], first + 1):
                pipeline.xadd("rows", {"lane": lane, "month": month, "passengers": value}, id=f"{place}-0")
            pipeline.execute()

        sent, answered = 0, 0
        for _ in range(3):
            with place.start(*arguments, stdin=subprocess.DEVNULL) as process:
                for _ in range(20):
                    send(sent, 60)
                    sent += 60
                    time.sleep(0.1)
                before, answered = answered, wait_for_more(client, answered)
                process.kill()
            assert answered > before
        send(sent, len(rows) - sent)
        code, output, _ = place.stream(*arguments, "follow=false", lines=[])
        assert (code, output) == (0, "")
        found = client.xrange("out")
    assert [id.decode() for id, _ in found] == [f"{place + 1}-0" for place in range(len(rows))]
    expected = place.expected(["lane,month,passengers", *(",".join(row) for row in rows)])
    np.testing.assert_allclose([float(cells[b"forecast"] or "nan") for _, cells in found], expected, rtol=1e-8)


def wait_for_more(client: Any, before: int) -> int:
    """Wait until there are more answers, and return how many."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if (count := int(client.xlen("out"))) > before:
            return count
        time.sleep(0.05)
    raise AssertionError("no answer came")


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["mock", "tansu"])
def test_after_kill_9_a_topic_of_kafka_has_each_answer_once(place: Place, tmp_path: Path, kind: str) -> None:
    """A kill at any moment doubles or loses forecasts in Kafka of the command as people start it."""
    random = np.random.default_rng(17)
    months = [line.split(",") for line in make_many_rows(["a", "b", "c"], months=1200)]
    rows = [(lane, {"lane": lane, "month": month, "passengers": float(value)}) for lane, month, value in months]
    with run_kafka(kind, tmp_path) as server:
        source, sink = server.make_topic(), server.make_topic()
        arguments = [f"run={place.run_id()}", "start=cold", f"state={tmp_path / 'killed.npz'}"]
        arguments += [f"input={server.url(source)}", f"output={server.url(sink)}"]
        sent, before = 0, 0
        for _ in range(3):
            with place.start(*arguments, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                end, answered = time.monotonic() + SECONDS, before
                while answered == before or random.random() < 0.8:
                    assert process.poll() is None and time.monotonic() < end
                    server.send(source, rows[sent : sent + 24])
                    sent += 24
                    time.sleep(random.uniform(0, 0.1))
                    answered = len(server.read(sink))
                server.send(source, rows[sent : sent + 120])
                sent += 120
                time.sleep(random.uniform(0, 0.05))
                process.kill()
            before = len(server.read(sink))
        code, output, complaints = place.stream(*arguments, "follow=false", lines=[])
        assert (code, output) == (0, ""), complaints
        found, asked = read_answers(server.read(sink)), server.read(source)
    assert sent < len(rows)
    for lane in ("a", "b", "c"):
        places = [f"{source}/{m.partition()}:{m.offset()}" for m in asked if m.key().decode() == lane]
        assert [answer for answer, _ in found[lane]] == places
        expected = place.expected(
            ["lane,month,passengers", *(",".join(row) for row in months[:sent] if row[0] == lane)]
        )
        numbers = [np.nan if each["forecast"] is None else each["forecast"] for _, each in found[lane]]
        np.testing.assert_allclose(numbers, expected, rtol=1e-8)


def test_a_closed_pipe_ends_the_stream_quietly(place: Place) -> None:
    """`| head -1` ends in a traceback."""
    (place.folder / "long.csv").write_text("\n".join(["lane,month,passengers", *make_many_rows(["a"], months=2400)]))
    arguments = (f"run={place.run_id('false')}", "start=cold", "input=long.csv", "follow=false", "state=piped.npz")
    with place.start(*arguments, stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == f"{HEADER}\n"
        process.stdout.close()
        assert process.wait(SECONDS) == 0
        assert "Traceback" not in process.stderr.read()
    assert not (place.folder / "piped.npz").exists()  # rows that nobody read were not consumed


# Arguments, and what the one line on stderr says; RUN and PARENT are run ids, wrong.csv and right.csv mere headers.
REFUSED = {
    "unknown run": ("run=nope", "run=nope is not in sqlite:.*; give a run id from MLflow, or run=best"),
    "parent": ("run=PARENT", r"run=\w+ is the parent of a sweep; give one of its runs, or run=best"),
    "empty store": (
        "run=best tracking.experiment_name=none",
        "there is no MLflow experiment 'none' in .*; it has: ",
    ),
    "wrong header": ("run=RUN input=wrong.csv", r"the rows need the column\(s\) month, but their header is: date,pass"),
    "other model": ("run=RUN input=right.csv state=other.npz", "state=other.npz belongs to another model"),
    "unknown key": ("run=RUN sart=cold", "unknown key 'sart'; did you mean 'start'?"),
    "output alone": (
        "run=RUN output=redis://h/0?stream=a",
        "output=redis://h/0.stream=a needs input=redis://... or input=kafka://...; leave",
    ),
    "no server": ("run=RUN input=redis://127.0.0.1:1/0?stream=a", "redis://127.0.0.1:1/0.stream=a cannot be used "),
    "no broker": ("run=RUN input=kafka://127.0.0.1:1/rows", "kafka://127.0.0.1:1/rows cannot be used "),
    "no input": ("run=RUN input=none.csv", "input=none.csv is not a file that can be read from"),
    "no folder": ("run=RUN state=none/s.npz", "state=none/s.npz: the folder none is not there; create it first"),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.thorough) if name == "no broker" else name for name in REFUSED]
)
def test_bad_input_is_told_in_one_line_with_exit_code_2(
    place: Place, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake ends in a traceback, or in an answer that looks right."""
    arguments, complaint = REFUSED[name]
    monkeypatch.chdir(place.folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", place.uri)
    Path("wrong.csv").write_text("date,passengers\n")
    Path("right.csv").write_text("month,passengers\n")
    other = fetch_model(ServedRun(run=place.run_id("false"), uri=place.uri))
    Stream(other, False, pytest.fail).book.save(Path("other.npz"))
    words = arguments.replace("RUN", place.run_id()).replace("PARENT", place.run_id("sweep")).split()
    assert run_entry(words, Arguments, MANUAL, stream_rows) == 2
    output, complaints = capsys.readouterr()
    assert len(complaints.splitlines()) == 1
    assert re.match(f"error: {complaint}", complaints)
    assert output in ("", f"{HEADER}\n")


def test_a_mistake_is_told_by_the_command_itself(place: Place) -> None:
    """The exit code does not reach the shell."""
    code, output, complaints = place.stream("run=nope", lines=[])
    assert (code, output) == (2, "")
    assert len(complaints.splitlines()) == 1 and complaints.startswith("error: run=nope is not in sqlite:")


def test_the_best_and_the_latest_run_are_told(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """run=best serves another run than the one with the lowest validation error, or nobody learns which it is."""
    client = MlflowClient(place.uri)
    experiment = place.runs["sweep"].info.experiment_id
    runs = client.search_runs([experiment], "params.horizon != ''", order_by=["attributes.start_time DESC"])
    newest = runs[0].data.params["horizon"]  # the best of those that were scored on the same values
    same = [run for run in runs if run.data.params["horizon"] == newest]
    best = min(same, key=lambda run: run.data.metrics["validation_rmse"])
    for word, run in (("best", best), ("latest", runs[0])):
        fetch_model(ServedRun(run=word, uri=place.uri))
        error = show_number(run.data.metrics["validation_rmse"])
        assert capsys.readouterr().err == f"run {run.info.run_id}: validation RMSE {error}\n"


def test_an_empty_input_is_told(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """What should have sent rows failed, and the stream ends as if all were well; but a header may come alone."""
    path, state = place.folder / "empty.csv", place.folder / "empty.npz"
    path.write_text("\n")
    keys = {"uri": place.uri, "input": str(path), "follow": False, "state": state}
    with pytest.raises(UserError, match="the input is empty; its first line must name the columns of the dataset"):
        stream_rows(Arguments(run=place.run_id(), **keys))
    assert not state.exists()
    path.write_text(AIRLINE[0])
    assert stream_rows(Arguments(run=place.run_id(), **keys)) == 0
    assert state.exists()
    assert capsys.readouterr().out == 2 * f"{HEADER}\n"


def test_an_interrupt_waits_until_what_was_read_is_answered(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C between a step of the network and its answer: the state knows rows that nobody got a forecast for."""
    (place.folder / "interrupted.csv").write_text("\n".join([AIRLINE[0], *NEW, ""]))
    paths = {"input": str(place.folder / "interrupted.csv"), "state": place.folder / "interrupted.npz"}

    def interrupt(lanes: Sequence[str], timestamps: Sequence[str], numbers: np.ndarray, note_of: Any) -> str:
        if "1961-03-01" in timestamps:
            signal.raise_signal(signal.SIGINT)
        return "".join(f"{time}\n" for time in timestamps)

    monkeypatch.setattr("pipeline.serving.answer_lines.write_answers", interrupt)
    monkeypatch.setattr("pipeline.base.interrupt._asked", [])
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    listen_for_interrupts()
    try:
        with pytest.raises(KeyboardInterrupt):
            stream_rows(Arguments(run=place.run_id(), uri=place.uri, follow=False, **paths))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(NEW)
    stream = Stream(fetch_model(ServedRun(run=place.run_id(), uri=place.uri)), True, pytest.fail)
    stream.book.resume(paths["state"])
    assert stream.book.consumed == {"airline": len(NEW)}


def test_a_file_that_becomes_shorter_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was written anew is followed for ever, without a word."""
    path = place.folder / "shorter.csv"
    path.write_text("\n".join([AIRLINE[0], *NEW, ""]))
    monkeypatch.setattr(time, "sleep", lambda seconds: path.write_text(AIRLINE[0]))
    with pytest.raises(UserError, match="became shorter while it was followed; rows may only be added to it"):
        stream_rows(Arguments(run=place.run_id(), uri=place.uri, input=str(path)))


def test_a_line_without_an_end_does_not_fill_the_memory(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """A sender that forgets the ends of its lines ends the stream, and the lanes of all others with it."""
    path = place.folder / "endless.csv"
    path.write_text("\n".join([AIRLINE[0], "1961-01-01," + "9" * 5_000_000, NEW[0]]))
    assert stream_rows(Arguments(run=place.run_id(), uri=place.uri, input=str(path), follow=False)) == 0
    output, complaints = capsys.readouterr()
    assert len(output.splitlines()) == 2
    told = f"line 2 has {'9' * 57}... in the column 'passengers', which is too large to compute with: skipped"
    assert complaints.splitlines() == [told, "0 row(s) were known already, 1 could not be used"]


def test_rows_are_read_in_the_encoding_of_the_run(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file that the run was trained on cannot be piped in: its names are other names, or no row is read."""
    path = place.folder / "encoded.csv"
    path.write_bytes("\n".join(["month,passengers,lane", *[f"{row},Köln" for row in NEW], ""]).encode("cp500"))
    with path.open("ab") as file:
        file.write("1961-07-01,450,".encode("cp500") + b"\xff")
    arguments = Arguments(run=place.run_id(), uri=place.uri, input=str(path), follow=False)
    with pytest.raises(UserError, match="the header cannot be read as utf-8"):
        stream_rows(arguments)
    monkeypatch.setattr(Stream, "encoding", "cp500")
    assert stream_rows(arguments) == 0
    output, complaints = capsys.readouterr()
    lines = output.splitlines()
    assert [line.split(",")[0] for line in lines[-len(NEW) - 1 :]] == [*["Köln"] * len(NEW), "\x9f"]
    assert complaints == ""


def test_help_names_every_key_and_the_columns() -> None:
    """Nobody can use the command without reading its code."""
    done = run_command("pipeline.stream", "--help", fresh=True)
    assert done.returncode == 0
    keys = (
        "run=RUN_ID|best",
        "start=warm|cold",
        "state=FILE",
        "input=FILE|URL",
        "output=URL",
        "follow=true|false",
        "tracking.uri=URI",
    )
    for text in (*keys, "lane,timestamp,forecast", "low_95,high_95", "python -m pipeline.stream"):
        assert text in done.stdout
