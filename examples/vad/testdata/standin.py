"""Writes the stand-ins of the tests: models with the inputs and outputs of Silero VAD,
whose outputs tell what they were given. They are in the tree; run it to write them anew:

    python3 examples/vad/testdata/standin.py
"""
import os

import onnx
from onnx import TensorProto as T, helper as h

here = os.path.dirname(os.path.abspath(__file__))


def floats(name, *values):
    return h.make_tensor(name, T.FLOAT, [len(values)], values)


def ints(name, *values):
    return h.make_tensor(name, T.INT64, [len(values)], values)


def save(name, nodes, inputs, outputs, constants):
    info = lambda d: [h.make_tensor_value_info(n, t, s) for n, (t, s) in d.items()]
    graph = h.make_graph(nodes, "standin", info(inputs), info(outputs), constants)
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 16)], ir_version=8, producer_name="standin.py")
    onnx.checker.check_model(model)
    onnx.save(model, os.path.join(here, name + ".onnx"))


def slice_(x, first, last, out):
    return h.make_node("Slice", [x, first, last, "one"], [out], out)


def mean(x, out):
    return h.make_node("ReduceMean", [x], [out], out, axes=[1], keepdims=1)


def counted(state, row, out):
    """The first value of a row of a state, [2,B,·], as [B,1]."""
    return [h.make_node("Gather", [state, row], [out + ".row"], out + ".row", axis=0),
            slice_(out + ".row", "zero", "one", out)]


constants = [ints("zero", 0), ints("one", 1), ints("context", 64), ints("end", 576),
             h.make_tensor("row0", T.INT64, [], [0]), h.make_tensor("row1", T.INT64, [], [1]),
             floats("1", 1), floats("2", 2), floats("10", 10), floats("100", 100), floats("1000", 1000)]


def used(nodes):
    names = {n for node in nodes for n in node.input}
    return [c for c in constants if c.name in names]


nodes = [
    slice_("input", "zero", "context", "before"), slice_("input", "context", "end", "frame"),
    mean("before", "mean of before"), mean("frame", "mean of frame"),
    h.make_node("Mul", ["mean of frame", "10"], ["ten"], "ten"),
    *counted("state", "row0", "count"),
    h.make_node("Mul", ["count", "100"], ["counted"], "counted"),
    h.make_node("Add", ["mean of before", "ten"], ["heard"], "heard"),
    h.make_node("Add", ["heard", "counted"], ["output"], "output"),
    h.make_node("Add", ["state", "1"], ["stateN"], "stateN"),
]
save("standin_v5", nodes,
     {"input": (T.FLOAT, [None, None]), "state": (T.FLOAT, [2, None, 128]), "sr": (T.INT64, [])},
     {"output": (T.FLOAT, [None, 1]), "stateN": (T.FLOAT, [None, None, None])}, used(nodes))

nodes = [
    mean("input", "mean"),
    *counted("h", "row0", "count of h"), *counted("c", "row1", "count of c"),
    h.make_node("Mul", ["count of h", "100"], ["counted h"], "counted h"),
    h.make_node("Mul", ["count of c", "1000"], ["counted c"], "counted c"),
    h.make_node("Add", ["mean", "counted h"], ["heard"], "heard"),
    h.make_node("Add", ["heard", "counted c"], ["output"], "output"),
    h.make_node("Add", ["h", "1"], ["hn"], "hn"),
    h.make_node("Add", ["c", "2"], ["cn"], "cn"),
]
save("standin_legacy", nodes,
     {"input": (T.FLOAT, ["batch", "sequence"]), "sr": (T.INT64, []),
      "h": (T.FLOAT, [2, "batch", 64]), "c": (T.FLOAT, [2, "batch", 64])},
     {"output": (T.FLOAT, ["batch", 1]), "hn": (T.FLOAT, [2, "batch", 64]), "cn": (T.FLOAT, [2, "batch", 64])},
     used(nodes))

save("other", [h.make_node("Relu", ["x"], ["y"], "relu")],
     {"x": (T.FLOAT, [1])}, {"y": (T.FLOAT, [1])}, [])
