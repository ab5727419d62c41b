# SPDX-License-Identifier: MIT
"""The transformers of five families in numpy, float64, from their definitions, one token after the other and no cache but lists."""
import numpy as np


def rms_norm(x, weight, epsilon):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + epsilon) * weight


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def silu(x):
    return x / (1 + np.exp(-x))


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def yarn_ramp(shape, base, dimensions):
    """1 where a frequency is kept, 0 where it is interpolated (YaRN, section 3.2)."""
    def boundary(rotations):
        return dimensions * np.log(shape["original_context"] / (rotations * 2 * np.pi)) / (2 * np.log(base))
    low = max(0, np.floor(boundary(shape.get("beta_fast", 32))))
    high = min(dimensions - 1, np.ceil(boundary(shape.get("beta_slow", 1))))
    return 1 - np.clip((np.arange(dimensions // 2) - low) / max(0.001, high - low), 0, 1)


def rotate(x, position, shape, sliding):
    """x: heads x head_length."""
    dimensions = shape["rope_dimensions"]
    base = shape.get("base_sliding", shape["base"]) if sliding else shape["base"]
    angles = position * base ** (-2 * np.arange(dimensions // 2) / dimensions)
    magnitude = 1.0
    if shape.get("factors") is not None:
        angles = angles / shape["factors"]
        magnitude = shape.get("attention_factor", 1.0)
    if shape.get("scaling") == "linear" and not sliding:
        angles = angles / shape["factor"]
    if shape.get("scaling") == "yarn":
        kept = yarn_ramp(shape, base, dimensions)
        angles = angles / shape["factor"] * (1 - kept) + angles * kept
        magnitude = 1 + 0.1 * np.log(shape["factor"])
    cos, sin = np.cos(angles) * magnitude, np.sin(angles) * magnitude
    out = x.copy()
    if shape["style"] == "adjacent":
        a, b = x[:, 0:dimensions:2], x[:, 1:dimensions:2]
        out[:, 0:dimensions:2], out[:, 1:dimensions:2] = a * cos - b * sin, a * sin + b * cos
    else:
        half = dimensions // 2
        a, b = x[:, :half], x[:, half:dimensions]
        out[:, :half], out[:, half:dimensions] = a * cos - b * sin, a * sin + b * cos
    return out


def attention(shape, layer, x, position, keys, values, sliding):
    heads, kv_heads, length = shape["heads"], shape["kv_heads"], shape["head_length"]
    q, k, v = (layer[name] @ x + layer.get(name + "_bias", 0) for name in ("query", "key", "value"))
    q, k, v = q.reshape(heads, length), k.reshape(kv_heads, length), v.reshape(kv_heads, length)
    if "query_norm" in layer:
        q, k = rms_norm(q, layer["query_norm"], shape["epsilon"]), rms_norm(k, layer["key_norm"], shape["epsilon"])
    keys.append(rotate(k, position, shape, sliding))
    values.append(v)
    q = rotate(q, position, shape, sliding)
    first = max(0, position + 1 - shape["window"]) if sliding else 0
    out = np.empty((heads, length))
    for head in range(heads):
        group = head // (heads // kv_heads)
        weights = softmax(np.array([q[head] @ k[group] for k in keys[first:]]) / np.sqrt(length))
        out[head] = weights @ np.array([v[group] for v in values[first:]])
    return layer["attention_output"] @ out.reshape(-1)


def run(shape, model, tokens):
    """Returns the logits at every position."""
    layers = model["layers"]
    caches = [([], []) for _ in layers]
    activation = gelu_tanh if shape["family"] == "gemma3" else silu
    rows = []
    for position, token in enumerate(tokens):
        x = model["token_embedding"][token].copy()
        if shape["family"] == "gemma3":
            x = x * np.sqrt(shape["embedding"])
        for index, (layer, (keys, values)) in enumerate(zip(layers, caches)):
            sliding = shape["sliding"](index)
            y = attention(shape, layer, rms_norm(x, layer["attention_norm"], shape["epsilon"]), position, keys, values, sliding)
            if "attention_post_norm" in layer:
                y = rms_norm(y, layer["attention_post_norm"], shape["epsilon"])
            x = x + y
            y = rms_norm(x, layer["feed_norm"], shape["epsilon"])
            y = layer["down"] @ (activation(layer["gate"] @ y) * (layer["up"] @ y))
            if "feed_post_norm" in layer:
                y = rms_norm(y, layer["feed_post_norm"], shape["epsilon"])
            x = x + y
        rows.append(model["output"] @ rms_norm(x, model["output_norm"], shape["epsilon"]))
    return np.array(rows)
