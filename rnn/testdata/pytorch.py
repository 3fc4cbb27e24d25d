"""Networks of PyTorch for the tests of rnn.Load.

    pytorch.py write FILE SEED ...   writes networks, their inputs and outputs; seed 0 has the smallest sizes
    pytorch.py check FILE DIR ...    reads DIR/NAME.safetensors, as rnn wrote it again, into PyTorch

FILE is a safetensors file. Of each network NAME it holds the state_dict behind the prefix
"NAME/", the input "NAME:x" and the output "NAME:y", which float64 computed.
"""

import json
import random
import struct
import sys

import torch
from torch import nn

DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64, "I64": torch.int64}


def save(path, tensors):
    header, data = {}, b""
    for name, t in tensors.items():
        dtype = next(k for k, v in DTYPES.items() if v == t.dtype)
        t = t.detach().contiguous()
        raw = (t.view(torch.int16) if dtype == "BF16" else t).numpy().tobytes()
        header[name] = {"dtype": dtype, "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def load(path):
    with open(path, "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
        header, data = json.loads(f.read(n)), f.read()
    tensors = {}
    for name, t in header.items():
        if name != "__metadata__":
            lo, hi = t["data_offsets"]
            tensors[name] = torch.frombuffer(bytearray(data[lo:hi]), dtype=DTYPES[t["dtype"]]).reshape(t["shape"])
    return tensors


class Net(nn.Module):
    """An embedding, a recurrent network and an output layer, under any names."""

    def __init__(self, *, embedding=None, rnn, output=None, last=False, tied=False):
        super().__init__()
        self.members = [m[0] if m else None for m in (embedding, rnn, output)]
        self.last = last
        for m in (embedding, rnn, output):
            if m:
                self.add_module(*m)
        if tied:
            output[1].weight = embedding[1].weight

    def member(self, i):
        return getattr(self, self.members[i]) if self.members[i] else None

    def forward(self, x):
        embedding, rnn, output = (self.member(i) for i in range(3))
        if embedding is not None:
            x = embedding(x)
        if isinstance(rnn, nn.RNNCellBase):
            states, state = [], None
            for step in x:
                state = rnn(step, state)
                states.append(state[0] if isinstance(state, tuple) else state)
            h = torch.stack(states)
        else:
            h = rnn(x)[0]
        if self.last:
            h = h[-1]
        if isinstance(output, nn.AdaptiveLogSoftmaxWithLoss):
            return output.log_prob(h.flatten(0, 1)).reshape(*h.shape[:-1], -1)
        return h if output is None else output(h)


def cutoffs(H, V):
    """Returns as many as leave each cluster at least one feature."""
    return [2, V - 1] if H >= 16 else [2]


def networks(seed):
    """Returns by name: what makes a network, its number of ids or 0, its dtype, and a wrapper's prefix."""
    r = random.Random(seed)
    size = (lambda least, most: r.randint(least, most)) if seed else (lambda least, most: least)
    E, H, V = size(2, 20), size(3, 40), size(5, 30)
    P = size(2, H - 1)

    def net(rnn, embedding=None, output=None, ids=0, dtype=torch.float32, prefix="", **options):
        return lambda: Net(embedding=embedding and embedding(), rnn=rnn(), output=output and output(), **options), ids, dtype, prefix

    bare = "rnn"  # the member whose name is left out

    return {
        "tanh": net(lambda: (bare, nn.RNN(E, H))),
        "relu": net(lambda: (bare, nn.RNN(E, H, 2, nonlinearity="relu", bidirectional=True))),
        "lstm": net(lambda: (bare, nn.LSTM(E, H, 3))),
        "gru": net(lambda: (bare, nn.GRU(E, H, 2, bidirectional=True))),
        "projection": net(lambda: (bare, nn.LSTM(E, H, 2, bidirectional=True, proj_size=P))),
        "unbiased": net(lambda: ("lstm", nn.LSTM(E, H, bias=False)), output=lambda: ("fc", nn.Linear(H, V, bias=False))),
        "unbiased_gru": net(lambda: (bare, nn.GRU(E, H, bias=False))),
        "onehot": net(lambda: ("rnn", nn.RNN(V, H)), output=lambda: ("out", nn.Linear(H, V)), ids=-V),
        "wordlm": net(lambda: ("rnn", nn.LSTM(H, H, 2)), lambda: ("encoder", nn.Embedding(V, H)), lambda: ("decoder", nn.Linear(H, V)), V, tied=True),
        "tagger": net(lambda: ("lstm", nn.LSTM(E, H, bidirectional=True)), lambda: ("word_embeddings", nn.Embedding(V, E)),
                      lambda: ("hidden2tag", nn.Linear(2 * H, 4)), V, prefix="module._orig_mod."),
        "embedded": net(lambda: ("gru", nn.GRU(H, H)), lambda: ("emb", nn.Embedding(V, H)), None, V),
        "last": net(lambda: ("gru", nn.GRU(E, H, 2)), output=lambda: ("classifier", nn.Linear(H, V)), last=True),
        "half": net(lambda: ("lstm", nn.LSTM(E, H)), output=lambda: ("linear", nn.Linear(H, V)), dtype=torch.float16, prefix="model."),
        "bfloat": net(lambda: (bare, nn.GRU(E, H)), dtype=torch.bfloat16),
        "double": net(lambda: (bare, nn.RNN(E, H)), dtype=torch.float64),
        "rnncell": net(lambda: (bare, nn.RNNCell(E, H))),
        "lstmcell": net(lambda: ("cell", nn.LSTMCell(E, H)), output=lambda: ("fc", nn.Linear(H, V))),
        "grucell": net(lambda: (bare, nn.GRUCell(E, H, bias=False))),
        "adaptive": net(lambda: ("rnn", nn.GRU(E, H)), output=lambda: ("softmax", nn.AdaptiveLogSoftmaxWithLoss(H, V, cutoffs(H, V), min(H, 4)))),
    }


def renamed(prefix, module):
    """Returns the state_dict as a file has it: a lone recurrent network has no member."""
    alone = module.members == [None, "rnn", None]
    return {prefix + (k.removeprefix("rnn.") if alone else k): v for k, v in module.state_dict().items()}


def write(path, seed):
    torch.manual_seed(seed)
    T, B = (9, 5) if seed else (3, 2)
    tensors = {}
    for name, (make, ids, dtype, prefix) in networks(seed).items():
        module = make().to(dtype)
        for k, v in renamed(prefix, module).items():
            tensors[f"{name}/{k}"] = v.clone()
        module.double()
        if ids:
            x = torch.randint(abs(ids), (T, B))
            y = module(nn.functional.one_hot(x, -ids).double() if ids < 0 else x)
        else:
            rnn = module.member(1)
            x = torch.randn(T, B, rnn.input_size)
            y = module(x.double())
        tensors[f"{name}:x"], tensors[f"{name}:y"] = x, y.float()
    save(path, tensors)


def check(path, folder):
    """Reads what rnn wrote into modules with its names. Only biases may be new, and are zero."""
    theirs = load(path)
    for name in networks(0):
        old = {k.removeprefix(name + "/"): v.float() for k, v in theirs.items() if k.startswith(name + "/")}
        new = load(f"{folder}/{name}.safetensors")
        module = rebuilt(new)
        module.load_state_dict(new, strict=True)
        new = list(module.state_dict().items())
        for k, v in old.items():
            while new[0][0].split(".")[-1].startswith("bias") and "bias" not in k:
                assert not new.pop(0)[1].any(), f"{name}: a bias of a network without"
            other, w = new.pop(0)
            assert v.shape == w.shape and torch.equal(v.view(torch.int32), w.view(torch.int32)), f"{name}: {k} has other bits as {other}"
        for k, w in new:
            assert "bias" in k and not w.any(), f"{name}: {k} is new"
    print("the same bits")


def rebuilt(state):
    """Makes a module for a state_dict that rnn wrote."""
    behind = "rnn." if "rnn.weight_hh_l0" in state else ""
    rows, cols = state[behind + "weight_hh_l0"].shape
    hr = state.get(behind + "weight_hr_l0")
    layers = sum(k.startswith(behind + "weight_hh") and not k.endswith("reverse") for k in state)
    cell = nn.LSTM if hr is not None else {1: nn.RNN, 3: nn.GRU, 4: nn.LSTM}[rows // cols]
    options = {"proj_size": cols} if hr is not None else {}
    rnn = cell(state[behind + "weight_ih_l0"].shape[1], cols if hr is None else hr.shape[1], layers,
               bidirectional=behind + "weight_hh_l0_reverse" in state, **options)
    if not behind:
        return rnn
    module = nn.Module()
    if "embedding.weight" in state:
        module.embedding = nn.Embedding(*state["embedding.weight"].shape)
    module.rnn = rnn
    if "out.weight" in state:
        module.out = nn.Linear(*reversed(state["out.weight"].shape))
    elif "out.head.weight" in state:
        tails = [state[k].shape for k in state if k.endswith("1.weight")]
        head, width = state["out.head.weight"].shape
        cuts = [head - len(tails)]
        for t in tails:
            cuts.append(cuts[-1] + t[0])
        module.out = nn.AdaptiveLogSoftmaxWithLoss(width, cuts[-1], cuts[:-1], min(width, 4), head_bias=True)
        for i in range(len(tails)):
            assert not state.pop(f"out.tail.{i}.1.bias").any()
    return module


if __name__ == "__main__":
    for file, other in zip(sys.argv[2::2], sys.argv[3::2]):
        if sys.argv[1] == "write":
            write(file, int(other))
        else:
            check(file, other)
