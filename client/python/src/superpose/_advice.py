"""What to do about an error, by its reason, where its message does not say it already."""

# The server gives a reason with each of its errors.
_ON_THE_WAY = (
    "That was not the server itself but something on the way to it, such as a proxy: is the address the server's?"
)

_BY_REASON = {
    "ARTIFACT_NOT_FOUND": "lab.snapshots(), lab.midcoders(), lab.factorizations() and lab.corpora() list what "
    "there is.",
    "CONTEXT_EXCEEDED": "Cut the text or the sequence, or give several shorter ones.",
    "CONVENTION_MISMATCH": "The file may be of another kind than it says: load it with another `input`, or ask whoever "
    'runs the server to take transcoder_self_test: "warn" for an answer.',
    "CORPUS_NOT_FOUND": "lab.corpora() lists the corpora; lab.upload_corpus(..) makes one.",
    "CORPUS_TOO_SMALL": "Take a shorter context_length, or a larger corpus.",
    "DATABASE_TOO_NEW": "Whoever runs the server must install a newer one.",
    "DATA_DIR_IN_USE": "Another server works in that data folder: whoever runs it must stop one of the two.",
    "DEADLINE_PASSED": "The server is busy: ask again, or with a larger timeout.",
    "DEVICE_UNAVAILABLE": "Whoever runs the server must name another device in its config.",
    "EMPTY_INPUT": "Give at least one text, one token or one file that is not empty.",
    "EMPTY_SELECTION": "snapshot.frequencies() says how often features are active; lo and hi of a band are log10.",
    "FACTORIZATION_NOT_FOUND": "lab.factorizations() lists the factorizations.",
    "FEATURE_OUT_OF_RANGE": "Features are counted from 0; lab.transcoder(..).d_sae says how many there are, "
    "and fac.features which of them a factorization has.",
    "FILE_CORRUPT": "The file is cut or damaged: fetch it again.",
    "FILE_NOT_FOUND": "Paths that the server reads are on its disk, not on yours.",
    "FREQUENCIES_MISSING": 'Take those of a snapshot: superpose.band(lo, hi, by="snapshot"), where one is asked.',
    "GATED_MLP": "Midcoders need an MLP without gate, as GPT-2 has it.",
    "INPUT_CHANGED": "Something was replaced meanwhile: submit the work again.",
    "INVALID_UTF8": 'Texts must be valid: text.encode(errors="replace").decode() makes them so.',
    "JOB_ALREADY_FINISHED": "It has ended: job.status says how, job.results() what it made.",
    "JOB_CANCELLED": "Somebody cancelled it: submit it again if it is still wanted.",
    "JOB_CRASHED": "The server ended while it ran, more than once: its log says why. A smaller batch_size may help.",
    "JOB_NOT_FINISHED": "job.wait() waits for its end; job.cancel() ends it.",
    "JOB_NOT_FOUND": "lab.jobs() lists the jobs.",
    "JOB_WITHOUT_STATISTICS": "collect them with lab.collect_statistics(..), or train with statistics=True.",
    "LAYER_OUT_OF_RANGE": "Layers are counted from 0; lab.models() lists the layers that have transcoders.",
    "LEASE_LOST": "Another worker took the job over: look at it again.",
    "MEMORY_EXCEEDED": "Take a smaller batch_size, or wait; lab.estimate_training(..), lab.estimate_statistics(..) and "
    "lab.estimate_factorization(..) say what would fit.",
    "MIDCODER_NOT_FOUND": "lab.midcoders() lists the midcoders.",
    "MODEL_NOT_FOUND": "lab.models() lists the models; lab.load_model(..) loads one.",
    "OUT_OF_MEMORY": "Take a smaller batch_size or fewer sequences at a time, or wait until other work has ended.",
    "PATH_NOT_ALLOWED": "Whoever runs the server must name the folder in its config as a model_root.",
    "QUEUE_FULL": "Many are asking at once: try again in a moment.",
    "REQUEST_ID_REUSED": "Leave request_id out, or take a new one for another request.",
    "REQUEST_TOO_LARGE": "Ask for fewer sequences at a time.",
    "RESOURCE_EXISTS": "Take another name, or delete what has it.",
    "RESOURCE_IN_USE": 'lab.jobs(state=["queued", "running"]) lists the jobs: wait for them, or cancel them.',
    "SELECTOR_AMBIGUOUS": "There are several: say which, with model=.. or transcoder=..",
    "SHUTTING_DOWN": "The server is stopping: jobs go on when it is started again.",
    "SLICE_OUT_OF_RANGE": "The tensor's .shape says how large it is.",
    "SNAPSHOTS_OVERLAP": "snapshot.settings['sequences'] are those that a snapshot counted.",
    "SNAPSHOT_MISMATCH": "snapshot.compare(other) lists the settings in which two snapshots differ.",
    "SNAPSHOT_NOT_FOUND": "lab.snapshots() lists the snapshots.",
    "SNAPSHOT_TENSOR_MISSING": "Collect again, with that group or a midcoder: lab.collect_statistics(..).",
    "STORAGE_FAILED": "The server's database failed: its log says why.",
    "STORAGE_FULL": "The server's disk is full: delete midcoders or corpora that nobody needs, or ask whoever runs it.",
    "STORAGE_READ_ONLY": "Whoever runs the server must let it write to its data folder.",
    "TENSOR_MISSING": "The resource's .tensors lists its tensors.",
    "TOKENIZER_MISSING": "Give token ids in place of text.",
    "TOKEN_OUT_OF_RANGE": "The ids may be of another tokenizer; lab.model(..).vocab_size says how many there are.",
    "TRAINING_DIVERGED": "Take a smaller lr.",
    "TRANSCODER_MISMATCH": "The transcoder was made for another model: lab.models() lists the models.",
    "TRANSCODER_NOT_FOUND": "lab.models() lists the transcoders; lab.load_transcoder(..) loads one.",
    "UPLOAD_CORRUPT": "The file changed while it was sent: send it again.",
    "UPLOAD_NOT_FOUND": "Uploads of which nothing was made are removed after a week: send the file again.",
}

# For failures of the network and of what stands on the way, which have no reason.
_BY_CODE = {
    "ABORTED": "Something else came between: ask again.",
    "ALREADY_EXISTS": "Take another name, or delete what has it.",
    "CANCELLED": "The call was ended from here or on the way, not by the server: ask again if it is still wanted.",
    "DATA_LOSS": "What came is damaged: ask again; if it stays so, a file on the server's disk is.",
    "DEADLINE_EXCEEDED": "It may come with more time: superpose.connect(.., timeout=..), or `timeout` of the call.",
    "FAILED_PRECONDITION": _ON_THE_WAY,
    "INTERNAL": "The server's log may say why.",
    "INVALID_ARGUMENT": _ON_THE_WAY,
    "NOT_FOUND": _ON_THE_WAY,
    "OUT_OF_RANGE": _ON_THE_WAY,
    "PERMISSION_DENIED": _ON_THE_WAY,
    "RESOURCE_EXHAUSTED": "The message is larger than the server takes: give less at a time.",
    "UNAUTHENTICATED": _ON_THE_WAY,
    "UNAVAILABLE": "Ask again in a moment. Jobs go on without a connection.",
    "UNIMPLEMENTED": "The server is older than this client: lab.info().version says which it is.",
    "UNKNOWN": "The server's log may say why.",
}


def advice_for(code: str, reason: str) -> str:
    """What to do; empty where nobody knows better than the error's message."""
    return _BY_REASON.get(reason, "") if reason else _BY_CODE.get(code, "")
