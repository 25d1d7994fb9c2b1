"""Collecting statistics, against numpy on the same tokens; and snapshots as things that are kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import superpose
from conftest import running, write_toy
from counted import LENGTH, Counted, assert_counts, assert_sums, count, token_rows
from serving import Server

UPPER = np.triu_indices(128)
ENDLESS = 10**9


def test_the_groups_are_sums_over_the_tokens(snapshot: superpose.Snapshot, counted: Counted) -> None:
    z, g, p, active = counted.z, counted.g, counted.p, counted.active
    expected_counts = {
        "act_counts": active.sum(axis=0),
        "act_cov_counts_upper": (active.T @ active)[UPPER],
        "gate_act_counts": active.T @ g,
        "gate_counts": g.sum(axis=0),
    }
    expected_sums = {
        "act_sum": z.sum(axis=0),
        "act_sq_sum": (z**2).sum(axis=0),
        "act_cov_sum_upper": (z.T @ z)[UPPER],
        "act_gate_sum": z.T @ g,
        "act_sq_gate_sum": (z**2).T @ g,
        "pre_relu_sum_no_act": active.T @ p,
        "pre_relu_sq_sum_act": active.T @ p**2,
        "act_pre_relu_sum": z.T @ p,
        "mlp_out_sum_no_act": active.T @ counted.y,
        "mid_sum": counted.m.sum(axis=0),
        "gate_mid_sum": (g * counted.m).sum(axis=0),
        "pre_relu_sum": p.sum(axis=0),
        "pre_relu_cube_sum": (p**3).sum(axis=0),
        "pre_relu_cov_sum": p.T @ p,
        "mlp_out_sum": counted.y.sum(axis=0),
        "mlp_out_cov_sum": counted.y.T @ counted.y,
    }
    assert snapshot["counts"][0] == snapshot.tokens == len(z) == 24 * (LENGTH - 1)
    for name, expected in expected_counts.items():
        assert snapshot[name].dtype == np.int64, name
        assert_counts(snapshot[name][:], expected)
    for name, expected in expected_sums.items():
        assert snapshot[name].dtype == np.float64, name
        assert_sums(snapshot[name][:], expected)
    np.testing.assert_allclose(snapshot["act_max"][:], z.max(axis=0), rtol=1e-4, atol=1e-5)
    others = {"counts", "act_max", "act_log2_histogram", "W_mid", "b_mid", "b_mid_out"}
    assert set(snapshot.tensors) == set(expected_counts) | set(expected_sums) | others


def test_activations_are_counted_by_their_log2(snapshot: superpose.Snapshot, counted: Counted) -> None:
    bins = np.floor(np.log2(counted.z, where=counted.z > 0, out=np.full_like(counted.z, -99))) + 16
    expected = np.stack([(np.clip(bins, 0, 31) == b)[...] & (counted.z > 0) for b in range(32)], axis=-1).sum(axis=0)
    assert_counts(snapshot["act_log2_histogram"][:], expected)


def test_it_knows_what_it_is(
    snapshot: superpose.Snapshot, midcoder: superpose.Midcoder, counted_corpus: superpose.Corpus
) -> None:
    assert snapshot.midcoder == midcoder.name
    assert snapshot.layer == 2
    assert snapshot.labels == {"of": "counted"}
    assert not snapshot.includes_bos
    assert not snapshot.moving_parameters
    assert not snapshot.automatic
    assert snapshot.steps is None
    assert snapshot.feature_ids is None
    assert snapshot.owner == "tester"
    assert snapshot.provenance["corpus"] == counted_corpus.name
    assert snapshot.settings["sequences"] == [(0, 24)]
    assert snapshot.settings["split"] == "all"
    assert snapshot.settings["gate"] == "midcoder"
    assert snapshot.settings["context_length"] == LENGTH
    assert snapshot.settings["groups"][:2] == ["features", "pairs"]
    np.testing.assert_array_equal(snapshot["W_mid"][:], midcoder["W_mid"][:])
    assert "of" in snapshot._repr_html_()


def test_the_job_tells_how_far_it_is(lab: superpose.Lab, snapshot: superpose.Snapshot) -> None:
    job = lab.job(snapshot.job)
    assert job.kind == "collect_statistics"
    assert job.progress == (24 * LENGTH, 24 * LENGTH, "tokens")
    assert job.settings["options"]["include_bos"] is False
    assert job.result().name == snapshot.name
    assert job.snapshot().name == snapshot.name, "of a job that has ended: what it left"
    assert list(job.snapshots()["snapshot"]) == [snapshot.name.removeprefix("snapshots/")]
    assert "collect_statistics" in set(lab.jobs()["kind"])


def test_bos_positions_count_when_asked(
    lab: superpose.Lab, midcoder: superpose.Midcoder, counted_corpus: superpose.Corpus
) -> None:
    job = lab.collect_statistics(midcoder=midcoder, corpus=counted_corpus, include_bos=True, groups="features")
    found = job.result(timeout=120)
    with_bos = count(lab, midcoder, token_rows(24, seed=6), bos=True)
    assert found.includes_bos
    assert found.tokens == 24 * LENGTH
    assert_counts(found["act_counts"][:], with_bos.active.sum(axis=0))
    assert "act_cov_counts_upper" not in found.tensors


def test_chosen_features_are_rows_of_all(
    lab: superpose.Lab, midcoder: superpose.Midcoder, counted_corpus: superpose.Corpus, snapshot: superpose.Snapshot
) -> None:
    ids = [5, 90, 5, 3]
    job = lab.collect_statistics(
        midcoder=midcoder, corpus=counted_corpus, features=ids, pair_features=[90, 3], groups=["pairs", "gates"]
    )
    found = job.result(timeout=120)
    np.testing.assert_array_equal(found.feature_ids, ids)
    np.testing.assert_array_equal(found["act_counts"][:], snapshot["act_counts"][ids])
    np.testing.assert_array_equal(found["gate_act_counts"][:], snapshot["gate_act_counts"][ids])
    np.testing.assert_array_equal(found["pair_ids"][:], [90, 3])
    joint = snapshot.pairs([90, 3], quantity="joint")
    np.testing.assert_array_equal(found.pairs([90, 3], quantity="joint"), joint)
    assert found.tensor("act_counts", features=[3, 5]).tolist() == snapshot["act_counts"][[3, 5]].tolist()
    assert sorted(found.frequencies(by="snapshot").index) == [3, 5, 90]
    with pytest.raises(ValueError, match="does not cover feature 4"):
        found.tensor("act_counts", features=[4])


def test_a_band_chooses_what_is_counted(lab: superpose.Lab, counted_corpus: superpose.Corpus) -> None:
    job = lab.collect_statistics(
        layer=2, corpus=counted_corpus, model="toy", features=superpose.band(-3, -2), groups="features"
    )
    log_sparsity = lab.transcoder(2, model="toy")["log_sparsity"][:]
    np.testing.assert_array_equal(
        job.result(timeout=120).feature_ids, np.flatnonzero((log_sparsity >= -3) & (log_sparsity < -2))
    )


def test_without_a_midcoder_the_gate_is_the_models(
    lab: superpose.Lab, counted_corpus: superpose.Corpus, counted: Counted
) -> None:
    found = lab.collect_statistics(layer=2, corpus=counted_corpus, model="toy").result(timeout=120)
    assert found.midcoder == ""
    assert found.settings["gate"] == "model"
    assert_counts(found["gate_counts"][:], (counted.p > 0).sum(axis=0))
    assert "mid_sum" not in found.tensors
    with pytest.raises(superpose.FailedPrecondition) as caught:
        found.predicted_decoders()
    assert caught.value.reason == "SNAPSHOT_TENSOR_MISSING"


def test_several_layers_share_a_run(lab: superpose.Lab, counted_corpus: superpose.Corpus) -> None:
    job = lab.collect_statistics(layer=[0, 2], corpus=counted_corpus, model="toy", groups="features")
    first, second = job.results(timeout=120)
    assert (first.layer, second.layer) == (0, 2)
    alone = lab.collect_statistics(layer=0, corpus=counted_corpus, model="toy", groups="features").result(timeout=120)
    np.testing.assert_array_equal(first["act_counts"][:], alone["act_counts"][:])
    with pytest.raises(ValueError, match=r"results\(\)"):
        job.result()
    with pytest.raises(ValueError, match="take_snapshots"):
        job.snapshot()
    assert [one.name for one in job.take_snapshots()] == [first.name, second.name]


def test_an_estimate_says_what_it_takes(
    lab: superpose.Lab, midcoder: superpose.Midcoder, snapshot: superpose.Snapshot
) -> None:
    estimate = lab.estimate_statistics(midcoder=midcoder, corpus="counted")
    assert estimate.fits
    assert estimate.snapshot_bytes == sum(tensor.nbytes for tensor in snapshot.tensors.values())
    assert estimate.peak_bytes > estimate.snapshot_bytes
    assert "statistics" in repr(estimate)
    small = lab.estimate_statistics(midcoder=midcoder, corpus="counted", features=[1], groups="features")
    assert small.peak_bytes < estimate.peak_bytes


@pytest.fixture(scope="module")
def parts(
    lab: superpose.Lab, midcoder: superpose.Midcoder, counted_corpus: superpose.Corpus
) -> tuple[superpose.Snapshot, superpose.Snapshot]:
    """Of the first 16 sequences, and of the 8 that are left."""
    asked = {"midcoder": midcoder, "corpus": counted_corpus, "batch_size": 8}
    first = lab.collect_statistics(**asked, tokens=16 * LENGTH).result(timeout=120)
    return first, lab.collect_statistics(**asked, first_sequence=16).result(timeout=120)


def test_parts_that_are_merged_are_the_whole(
    lab: superpose.Lab, parts: tuple[superpose.Snapshot, superpose.Snapshot], snapshot: superpose.Snapshot
) -> None:
    first, second = parts
    assert first.settings["sequences"] == [(0, 16)]
    assert second.settings["sequences"] == [(16, 24)]
    difference = first.compare(second)
    assert difference.attrs == {"mergeable": True, "obstacle": ""}
    assert set(difference["field"]) == {"tokens", "sequences"}
    assert difference.set_index("field").loc["tokens", "value"] == first.tokens

    job = lab.merge_snapshots([second, first.name], labels={"is": "merged"})
    merged = job.wait(progress=False, timeout=120).result()
    assert job.kind == "merge_snapshots"
    assert job.progress.unit == "bytes"
    assert merged.settings["sequences"] == [(0, 24)]
    assert merged.tokens == snapshot.tokens
    assert merged.labels == {"is": "merged"}
    assert merged.merged_from == [second.name, first.name]
    assert set(merged.tensors) == set(snapshot.tensors)
    for name, tensor in snapshot.tensors.items():
        if tensor.dtype == np.int64:
            np.testing.assert_array_equal(merged[name][:], tensor[:], err_msg=name)
        else:
            np.testing.assert_allclose(merged[name][:], tensor[:], rtol=1e-9, atol=1e-9, err_msg=name)


def test_what_cannot_be_merged_says_why(
    lab: superpose.Lab, midcoder: superpose.Midcoder, counted_corpus: superpose.Corpus, snapshot: superpose.Snapshot
) -> None:
    with pytest.raises(superpose.FailedPrecondition) as caught:
        lab.merge_snapshots([snapshot, snapshot])
    assert caught.value.reason == "SNAPSHOTS_OVERLAP"
    assert not snapshot.compare(snapshot).attrs["mergeable"]
    other = lab.collect_statistics(
        midcoder=midcoder, corpus=counted_corpus, include_bos=True, groups="features", first_sequence=20
    ).result(timeout=120)
    with pytest.raises(superpose.FailedPrecondition) as caught:
        lab.merge_snapshots([snapshot, other])
    assert caught.value.reason == "SNAPSHOT_MISMATCH"
    assert "includes_bos" in set(snapshot.compare(other)["field"])
    with pytest.raises(superpose.InvalidArgument):
        lab.merge_snapshots([snapshot])
    with pytest.raises(TypeError, match="a list"):
        lab.merge_snapshots(snapshot)
    with pytest.raises(superpose.NotFound):
        lab.merge_snapshots([snapshot, "none"])


@pytest.fixture
def running_job(lab: superpose.Lab) -> Iterator[superpose.Job]:
    """A training with statistics that does not end by itself and has counted something."""
    job = lab.train_midcoder(
        layer=2,
        corpus="text",
        model="toy",
        steps=ENDLESS,
        batch_size=2,
        context_length=16,
        statistics={"groups": ["gates"], "snapshot_every_tokens": 500, "keep_last": 3},
    )
    for _ in job._watch(None):
        if job._proto.progress.done >= 40:
            break
    yield job
    job.cancel().wait(progress=False, timeout=60)


def test_a_snapshot_is_taken_of_a_running_job(running_job: superpose.Job) -> None:
    found = running_job.snapshot(labels={"when": "now"})
    later = running_job.take_snapshots()[0]
    assert running_job.status == "running"
    assert found.labels == {"when": "now"}
    assert found.moving_parameters
    assert found.job == running_job.name
    assert 0 < found.tokens <= later.tokens
    assert found.pause_seconds >= 0
    first, last = found.steps
    assert first < last
    assert found.tokens == 2 * 15 * (last - first)
    # The gates' parameters at that step are in it, and answer questions.
    assert found["W_mid"].shape == (128, 128)
    assert found.predicted_decoders().index.tolist() == list(range(128))
    kept = running_job.snapshots()
    assert list(kept.loc[kept["automatic"], "snapshot"]), "every 500 tokens"
    # The oldest goes once a new one is there.
    assert kept["automatic"].sum() <= 3 + 1
    assert found.name.removeprefix("snapshots/") in set(kept["snapshot"])


def test_a_snapshot_that_a_job_will_read_is_not_deleted(
    lab: superpose.Lab, parts: tuple[superpose.Snapshot, superpose.Snapshot], running_job: superpose.Job
) -> None:
    merge = lab.merge_snapshots(parts)
    assert merge.status == "queued", "behind the one that runs"
    with pytest.raises(superpose.FailedPrecondition) as caught:
        parts[0].delete()
    assert caught.value.reason == "RESOURCE_IN_USE"
    with pytest.raises(superpose.FailedPrecondition) as caught:
        merge.snapshot()
    assert caught.value.reason == "JOB_WITHOUT_STATISTICS"
    assert merge.cancel().status == "cancelled"


def test_a_trained_midcoder_has_its_statistics(lab: superpose.Lab) -> None:
    job = lab.train_midcoder(
        layer=2, corpus="text", model="toy", steps=5, batch_size=4, context_length=16, seed=9, statistics=True
    )
    trained = job.result(timeout=120)
    found = trained.snapshot()
    assert found.midcoder == trained.name
    assert found.moving_parameters
    assert found.steps == (0, 5)
    assert found.tokens == 5 * 4 * 15
    assert list(lab.snapshots(midcoder=trained)["snapshot"]) == [found.name.removeprefix("snapshots/")]
    # In the first step mid is 0 and no gate is open.
    assert found["gate_counts"][:].max() <= 4 * 4 * 15
    weights = trained.units(int(found["act_counts"][:].argmax()), k=5)
    assert len(weights) == 5


def test_a_midcoder_without_statistics_says_how_to_collect_them(lab: superpose.Lab) -> None:
    job = lab.train_midcoder(layer=2, corpus="text", model="toy", steps=1, batch_size=4, context_length=16, seed=10)
    trained = job.result(timeout=120)
    call = rf'lab\.collect_statistics\(midcoder="{trained.name.removeprefix("midcoders/")}"\)\.wait\(\)'
    with pytest.raises(superpose.NotFound, match=rf"has no statistics yet: collect them with {call}"):
        trained.snapshot()
    lab.collect_statistics(midcoder=trained, groups="features", tokens=1000).wait(progress=False, timeout=120)
    assert trained.snapshot().tokens > 0
    with pytest.raises(superpose.NotFound, match=rf"no snapshot of {trained.name} has gate counts: .* {call}"):
        trained.units(0)


def test_a_snapshot_of_a_job_that_has_counted_nothing_waits_for_its_first_batch(lab: superpose.Lab) -> None:
    job = lab.collect_statistics(layer=2, corpus="text", model="toy", context_length=16, batch_size=4)
    assert job.snapshot(timeout=120).tokens > 0
    job.wait(progress=False, timeout=120)


def test_a_job_without_statistics_has_no_snapshot(lab: superpose.Lab, midcoder: superpose.Midcoder) -> None:
    with pytest.raises(superpose.FailedPrecondition) as caught:
        lab.job(midcoder.job).snapshot()
    assert caught.value.reason == "JOB_WITHOUT_STATISTICS"
    assert lab.job(midcoder.job).snapshots().empty


@pytest.mark.parametrize(
    ("settings", "kind", "match"),
    [
        ({"corpus": None}, ValueError, "which corpus"),
        ({"groups": ["gate"]}, ValueError, "'gates'"),
        ({"groups": []}, ValueError, "groups is empty"),
        ({"gate": "relu"}, ValueError, "'midcoder'"),
        ({"tokens": 0}, superpose.InvalidArgument, "tokens"),
        ({"keep_last": 0}, superpose.InvalidArgument, "keep_last"),
        ({"gate": "midcoder"}, superpose.InvalidArgument, "midcoders"),
        ({"features": [128]}, superpose.InvalidArgument, "128"),
        ({"features": superpose.band(-9, -8)}, superpose.FailedPrecondition, "EMPTY_SELECTION"),
        ({"layer": 1, "features": superpose.live()}, superpose.FailedPrecondition, "FREQUENCIES_MISSING"),
        ({"features": [1], "pair_features": [2]}, superpose.Error, "pair"),
        ({"first_sequence": 10**6}, superpose.InvalidArgument, "first_sequence"),
        ({"midcoder": "none"}, superpose.NotFound, "none"),
        ({"corpus": "rows"}, superpose.FailedPrecondition, "tokenized for"),
    ],
)
def test_what_cannot_be_counted_is_refused_at_once(
    lab: superpose.Lab, settings: dict, kind: type[Exception], match: str
) -> None:
    asked = {"layer": 2, "corpus": "text", "model": "toy"} | settings
    with pytest.raises(kind, match=match):
        lab.collect_statistics(**asked)


@pytest.mark.parametrize("statistics", [{"group": "features"}, {"groups": ["x"]}])
def test_options_of_a_training_that_make_no_sense_are_refused_here(lab: superpose.Lab, statistics: dict) -> None:
    with pytest.raises(ValueError, match="groups"):
        lab.train_midcoder(layer=2, corpus="text", model="toy", statistics=statistics)


def test_the_midcoder_of_another_transcoder_is_refused(lab: superpose.Lab, midcoder: superpose.Midcoder) -> None:
    with pytest.raises(superpose.FailedPrecondition) as caught:
        lab.collect_statistics(layer=1, corpus="text", midcoder=midcoder)
    assert caught.value.reason == "SNAPSHOT_MISMATCH"


def test_a_deleted_snapshot_is_gone(lab: superpose.Lab, counted_corpus: superpose.Corpus) -> None:
    job = lab.collect_statistics(layer=2, corpus=counted_corpus, model="toy", groups="features")
    found = job.result(timeout=120)
    assert list(lab.snapshots(job=job)["snapshot"]) == [found.name.removeprefix("snapshots/")]
    found.delete()
    assert lab.snapshots(job=job.name).empty
    for call in (found.frequencies, found.delete, job.result, lambda: found["act_sum"][:]):
        with pytest.raises(superpose.NotFound):
            call()
    with pytest.raises(ValueError, match="either"):
        lab.snapshots(job=job, midcoder="m")


def test_the_same_request_id_is_the_same_collection(lab: superpose.Lab, counted_corpus: superpose.Corpus) -> None:
    asked = {"layer": 2, "corpus": counted_corpus, "model": "toy", "groups": "features", "request_id": "statistics-1"}
    assert lab.collect_statistics(**asked).name == lab.collect_statistics(**asked).name
    with pytest.raises(superpose.AlreadyExists):
        lab.collect_statistics(**asked, include_bos=True)


@pytest.fixture
def hasty_server(tmp_path: Path) -> Iterator[Server]:
    """One for a test that ends it, which writes a checkpoint every second."""
    yield from running(Server(tmp_path, "checkpoint_seconds: 1\n" + write_toy(tmp_path)))


def test_a_killed_server_goes_on_to_the_same_sums(hasty_server: Server, tmp_path: Path) -> None:
    with superpose.connect(hasty_server.address, user="tester") as lab:
        corpus = lab.upload_corpus("long", token_rows(8000, seed=8, length=64), progress=False)
        asked = {"layer": 2, "corpus": corpus, "batch_size": 4}
        job = lab.collect_statistics(**asked)
        for _ in job._watch(None):
            if any(tmp_path.glob("data/**/*checkpoint*")):
                break
        assert job.status == "running", "it must not have ended before its first checkpoint"
        hasty_server.kill()
        hasty_server.start()
        resumed = job.wait(progress=False, timeout=300).result()
        assert job._proto.attempt == 2
        assert [int(entry["tokens"]) > 0 for entry in hasty_server._entries("job resumed")] == [True]
        whole = lab.collect_statistics(**asked).result(timeout=300)
        assert resumed.content_hash == whole.content_hash
        for name in ("counts", "act_counts", "act_sum", "act_cov_sum_upper", "act_gate_sum", "pre_relu_cov_sum"):
            np.testing.assert_array_equal(resumed[name][:], whole[name][:])
