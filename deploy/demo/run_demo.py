"""Runs the main jobs on the bundled demo model: activations, a midcoder and what it is worth, statistics, factors.

Called by `./dev demo`. Starts the server on loopback, talks to it through the Python client, and stops it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

DEMO = Path(__file__).resolve().parent
ROOT = DEMO.parents[1]
sys.path.insert(0, str(ROOT / "client" / "python" / "src"))

import pandas as pd  # noqa: E402
import superpose  # noqa: E402

PROMPT = "Return a list of the words in the string, using sep as the delimiter."
LAYER = 2


def write_config(work: Path, port: int, metrics_port: int) -> Path:
    """Fills the config template in and returns where it was written."""
    text = (DEMO / "server.textproto.in").read_text()
    for key, value in {
        "@DEMO@": str(DEMO),
        "@WORK@": str(work),
        "@PORT@": str(port),
        "@METRICS_PORT@": str(metrics_port),
    }.items():
        text = text.replace(key, value)
    path = work / "server.textproto"
    path.write_text(text)
    return path


@contextlib.contextmanager
def running_server(build: Path, config: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The server as a child process; SIGTERM at the end lets it leave in order."""
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
    with log.open("ab") as out:
        server = subprocess.Popen(
            [str(build / "server" / "superposed"), "--config", str(config)],
            stderr=out,
            env=environment,
        )
    try:
        yield server
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=60)


def connect(address: str, server: subprocess.Popen[bytes], log: Path) -> superpose.Lab:
    """Connects as soon as the server has loaded the model."""
    lab = superpose.connect(address, user="demo")
    for _ in range(600):
        if server.poll() is not None:
            sys.exit(f"the server ended early; its log:\n{log.read_text()}")
        try:
            lab.info()
            return lab
        except superpose.Unavailable:
            time.sleep(0.1)
    sys.exit(f"the server did not answer within a minute; its log is {log}")


def heading(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}")


def show_activations(lab: superpose.Lab) -> None:
    heading(f"Features of layer {LAYER} that are active in: {PROMPT!r}")
    frame = lab.activations(PROMPT, layer=LAYER).to_frame()
    strongest = frame[~frame["is_bos"]].sort_values("value", ascending=False).groupby("position")
    for _, rows in strongest:
        features = "  ".join(f"{row.feature}:{row.value:.2f}" for row in rows.head(5).itertuples())
        print(f"  {rows['token'].iloc[0]!r:>14}  {len(rows):3d} active   {features}")


def train(lab: superpose.Lab, steps: int) -> superpose.Midcoder:
    heading(f"Train a midcoder for layer {LAYER}: {steps} steps through the job queue")
    job = lab.train_midcoder(layer=LAYER, corpus="demo", steps=steps, batch_size=32, lr=1e-3)
    job.wait(progress=True)
    midcoder = job.result()
    history = midcoder.history()
    marks = sorted({0, len(history) // 4, len(history) // 2, len(history) - 1})
    print(history.iloc[marks].to_string(index=False, float_format=lambda value: f"{value:.3e}"))
    return midcoder


def evaluation_table(metrics: pd.Series) -> pd.DataFrame:
    """Loss with the layer's MLP replaced by each variant, a row each."""
    variants = ["model", "midcoder", "transcoder", "relu_gate", "mean", "zero"]
    rows = {
        name: {
            "cross-entropy": metrics[f"ce_{name}"],
            "loss recovered": metrics.get(f"loss_recovered_{name}"),
        }
        for name in variants
    }
    return pd.DataFrame(rows).T.astype(float)


def evaluate(midcoder: superpose.Midcoder, tokens: int) -> bool:
    heading(f"Evaluate it on {tokens} held-out tokens: the MLP of layer {LAYER} replaced by ..")
    metrics = midcoder.evaluate(corpus="demo", tokens=tokens)
    print(evaluation_table(metrics).to_string(float_format=lambda value: f"{value:.4f}", na_rep=""))
    share = metrics["loss_recovered_midcoder"] / metrics["loss_recovered_transcoder"]
    print(f"\nThe midcoder recovers {share:.3f} of what the transcoder recovers.")
    return share >= 0.9


def count(lab: superpose.Lab, midcoder: superpose.Midcoder, tokens: int) -> superpose.Snapshot:
    heading(f"Count statistics of all features and pairs over {tokens} tokens, with a snapshot on the way")
    job = lab.collect_statistics(midcoder=midcoder, tokens=tokens)
    early = job.snapshot(labels={"when": "on the way"})
    job.wait(progress=True)
    last = job.result()
    rows = {
        name: {
            "tokens": snapshot.tokens,
            "features seen": int((snapshot.frequencies(by="snapshot")["count"] > 0).sum()),
            "median cosine": snapshot.predicted_decoders()["cosine"].median(),
        }
        for name, snapshot in {"on the way": early, "at the end": last}.items()
    }
    print(pd.DataFrame(rows).T.to_string(formatters={"tokens": "{:.0f}".format, "features seen": "{:.0f}".format}))
    feature = int(last.frequencies(superpose.band(-2.5, -1.5), by="snapshot").index[0])
    print(f"\nFeatures that are most often active with feature {feature}:")
    print(last.coactive(feature, k=5).to_string(float_format=lambda value: f"{value:.4f}"))
    return last


def factorize(lab: superpose.Lab, factors: int) -> superpose.Factorization:
    heading(f"Explain the decoders of layer {LAYER} by {factors} factors, and say what those are worth")
    job = lab.factorize(layer=LAYER, factors=factors)
    job.wait(progress=True)
    factorization = job.result()
    quality = factorization.quality()
    print(quality.to_string(float_format=lambda value: f"{value:.3f}", na_rep=""))
    print(
        f"\nFactors: {quality.attrs['dead']} dead, {quality.attrs['duplicates']} duplicates; "
        f"stability across seeds {quality.attrs['stability']:.2f}."
    )
    return factorization


def draw(snapshot: superpose.Snapshot, work: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    heading("Three figures of it")
    pictures = {
        "frequencies": snapshot.plot.rank_curve,
        "predicted_decoders": snapshot.plot.cosine_against_frequency,
        "correlations": lambda ax: snapshot.plot.correlation(snapshot.frequencies(by="snapshot").index[:100], ax=ax),
    }
    for name, picture in pictures.items():
        figure, axes = plt.subplots(layout="constrained")
        picture(ax=axes)
        figure.savefig(work / f"{name}.png")
        plt.close(figure)
        print(f"  {work / name}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "demo")
    parser.add_argument("--port", type=int, default=7077)
    parser.add_argument("--metrics-port", type=int, default=9464)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--tokens", type=int, default=20_000, help="to evaluate on")
    parser.add_argument("--count-tokens", type=int, default=200_000, help="to count statistics of")
    parser.add_argument("--factors", type=int, default=128, help="to explain decoders by")
    arguments = parser.parse_args()

    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    log = work / "server.log"
    config = write_config(work, arguments.port, arguments.metrics_port)
    corpus = work / "corpus.jsonl"
    if not corpus.exists():
        subprocess.run([sys.executable, str(DEMO / "make_corpus.py"), str(corpus)], check=True)
    with running_server(arguments.build.resolve(), config, log) as server:
        lab = connect(f"127.0.0.1:{arguments.port}", server, log)
        heading("The server holds")
        print(lab.models().to_string(index=False))
        show_activations(lab)
        midcoder = train(lab, arguments.steps)
        good = evaluate(midcoder, arguments.tokens)
        draw(count(lab, midcoder, arguments.count_tokens), work)
        factorize(lab, arguments.factors)
    if not good:
        sys.exit("the midcoder recovers under 0.9 of what the transcoder recovers")
    print(f"\nServe it yourself: ./dev serve --config {config}")


if __name__ == "__main__":
    main()
