"""PyTorch as a child process of peers: requests in, times and results out.

A request is a line of JSON and the arrays that it names; between requests the
process waits in a blocking read (child.go).
"""

import ctypes
import json
import sys
import time

try:
    import torch
except ImportError as error:
    print(json.dumps({"error": str(error)}), flush=True)
    sys.exit(0)

import torch.nn.functional as F


def array(message, name, dtype=torch.float32):
    return torch.frombuffer(message[name], dtype=dtype)


class RNN:
    """nn.RNN, nn.LSTM or nn.GRU over a dense input."""

    def __init__(self, w, data):
        self.w = w
        t, b, e, h = w["t"], w["b"], w["e"], w["h"]
        self.training = w["pass"] != "forward"
        self.rnn, self.params = make_rnn(e, h, w, data)
        self.rnn.train(self.training)
        self.x = array(data, "x").reshape(t, b, e).clone()
        self.h0 = None
        if w["carry"]:
            self.h0 = array(data, "h0").reshape(1, b, h).clone()
            if w["cell"] == "lstm":
                self.h0 = (self.h0, array(data, "c0").reshape(1, b, h).clone())
        if self.training:
            self.x.requires_grad_()
            self.dh = array(data, "dh").reshape(t, b, h).clone()
            self.wanted = [self.x, *self.params.values()]
            if w["pass"] == "backward":
                self.y = self.forward()

    def forward(self):
        y, last = self.rnn(self.x, self.h0)
        if self.h0 is not None:
            self.h0 = last
        return y

    def backward(self, y, keep):
        return torch.autograd.grad(y, self.wanted, self.dh, retain_graph=keep)

    def results(self):
        y = self.forward()
        out = {"h": y}
        if self.training:
            out.update(named(["dx", *self.params], self.backward(y, keep=False)))
        return out

    def run(self):
        if self.w["pass"] == "backward":
            self.backward(self.y, keep=True)
        elif self.training:
            self.backward(self.forward(), keep=False)
        else:
            self.forward()


class Train:
    """A step of training a model of characters: one-hot ids in, logits out."""

    def __init__(self, w, data):
        self.w = w
        self.v, h = w["v"], w["h"]
        self.ids = array(data, "ids", torch.int32).long().reshape(w["t"], w["b"])
        self.targets = array(data, "targets", torch.int32).long()
        self.rnn, params = make_rnn(self.v, h, w, data)
        self.out = torch.nn.Linear(h, self.v)
        with torch.no_grad():
            self.out.weight.copy_(array(data, "wy").reshape(h, self.v).t())
            self.out.bias.copy_(array(data, "by"))
        self.params = {**params, "dwy": self.out.weight, "dby": self.out.bias}
        self.adam = torch.optim.Adam(self.params.values(), lr=w["lr"])
        self.h0 = torch.zeros(1, w["b"], h)
        if w["cell"] == "lstm":
            self.h0 = (self.h0, torch.zeros(1, w["b"], h))

    def loss(self):
        x = F.one_hot(self.ids, self.v).float()
        y, self.last = self.rnn(x, self.h0)
        return F.cross_entropy(self.out(y).reshape(-1, self.v), self.targets)

    def run(self):
        self.adam.zero_grad()
        loss = self.loss()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.params.values(), self.w["clip"])
        self.adam.step()
        self.h0 = tuple(s.detach() for s in self.last) if self.w["cell"] == "lstm" else self.last.detach()
        return loss

    def results(self):
        out = named(self.params, torch.autograd.grad(self.loss(), self.params.values()))
        out["loss"] = torch.stack([self.run().detach() for _ in range(self.w["steps"])])
        return out


def named(names, grads):
    """Gradients by name, those of weights in the layout of peers."""
    return {n: g.t() if n.startswith("dw") else g for n, g in zip(names, grads)}


def make_rnn(inputs, hidden, w, data):
    """The module, and its trained parameters by the names of their gradients."""
    match w["cell"]:
        case "lstm":
            rnn = torch.nn.LSTM(inputs, hidden)
        case "gru":
            rnn = torch.nn.GRU(inputs, hidden)
        case _:
            rnn = torch.nn.RNN(inputs, hidden, nonlinearity=w["act"] or "tanh")
    with torch.no_grad():
        rnn.weight_ih_l0.copy_(array(data, "wx").reshape(inputs, -1).t())
        rnn.weight_hh_l0.copy_(array(data, "wh").reshape(hidden, -1).t())
        rnn.bias_ih_l0.copy_(array(data, "bh"))
        rnn.bias_hh_l0.copy_(array(data, "br") if "br" in data else torch.zeros_like(rnn.bias_hh_l0))
    params = {"dwx": rnn.weight_ih_l0, "dwh": rnn.weight_hh_l0, "dbh": rnn.bias_ih_l0}
    if "br" in data:
        params["dbr"] = rnn.bias_hh_l0
    else:
        # The second bias is zero and isn't trained: the model has only one.
        rnn.bias_hh_l0.requires_grad_(False)
    return rnn, params


def answer(message, arrays=None):
    arrays = {n: x.detach().contiguous().float() for n, x in (arrays or {}).items()}
    message["arrays"] = [{"name": n, "len": x.numel()} for n, x in arrays.items()]
    out = sys.stdout.buffer
    out.write(json.dumps(message).encode() + b"\n")
    for x in arrays.values():
        out.write(ctypes.string_at(x.data_ptr(), 4 * x.numel()))
    out.flush()


def set_threads(n):
    """Limits the threads of PyTorch, and of the BLAS in Debian's package."""
    torch.set_num_threads(n)
    try:
        blas = ctypes.CDLL("libblas.so.3")
    except OSError:
        return  # this build has its own BLAS, which follows PyTorch's number
    for name in "openblas_set_num_threads", "bli_thread_set_num_threads":
        if hasattr(blas, name):
            getattr(blas, name)(n)


def main():
    work = None
    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        data = {a["name"]: bytearray(sys.stdin.buffer.read(4 * a["len"])) for a in request["arrays"]}
        op = request["op"]
        try:
            if op == "hello":
                answer({"version": torch.__version__})
            elif op == "new":
                set_threads(request["threads"])
                work = {"rnn": RNN, "train": Train}[request["workload"]["kind"]](request["workload"], data)
                answer({})
            elif op == "close":
                work = None
                answer({})
            else:
                # Gradients are requested by name, so a forward pass alone records none.
                record = work.w["kind"] == "train" or work.w["pass"] != "forward"
                with torch.set_grad_enabled(record):
                    if op == "results":
                        answer({}, work.results())
                    else:
                        start = time.perf_counter_ns()
                        for _ in range(request["times"]):
                            work.run()
                        answer({"ns": time.perf_counter_ns() - start})
        except Exception as error:
            answer({"error": f"{type(error).__name__}: {error}"})


main()
