"""Sound as a source: what is read of a .wav file, its spectrogram, parts and classes, and what is refused."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jepa.errors import ConfigError, DataError
from jepa.parts import kind_of
from jepa.sources.sound.mel import edges, filters, hertz, log_mel, mel, resampled
from jepa.sources.sound.source import Sound
from jepa.sources.sound.wav import read_wav

RATE = 8000
TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(4000) / RATE)


def wav(x: Any, bits: int = 16, kind: int = 1, rate: int = RATE, **odd: Any) -> bytes:
    """Return the bytes of a .wav file of samples (n,) or (n, channels), full scale 1, by the format's definition."""
    x = np.asarray(x, np.float64)
    channels = 1 if x.ndim == 1 else x.shape[1]
    if kind == 3:
        body = x.astype(f"<f{bits // 8}").tobytes()
    elif bits == 8:
        body = np.round(x * 127 + 128).astype(np.uint8).tobytes()
    else:
        whole = np.round(x * (2 ** (bits - 1) - 1)).astype("<i4").reshape(-1)
        body = b"".join(int(v).to_bytes(4, "little", signed=True)[: bits // 8] for v in whole)
    block = channels * bits // 8
    head = struct.pack("<HHIIHH", odd.get("codec", kind), channels, rate, rate * block, odd.get("block", block), bits)
    parts = [(b"LIST", b"odd"), (b"fmt ", head), (b"data", body)]
    chunks = b"".join(name + struct.pack("<I", len(part)) + part + b"\0" * (len(part) % 2) for name, part in parts)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


@pytest.mark.parametrize(("bits", "kind"), [(8, 1), (16, 1), (24, 1), (32, 1), (32, 3), (64, 3)])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_are_read(bits: int, kind: int, channels: int, tmp_path: Path) -> None:
    x = np.stack([TONE, -TONE / 2], axis=1)[:, :channels]
    (tmp_path / "a.wav").write_bytes(wav(x[:, 0] if channels == 1 else x, bits, kind))
    found = read_wav(tmp_path / "a.wav")
    np.testing.assert_allclose(found.samples, x.T, atol=1.01 / 127 if bits == 8 else 2e-4 if bits == 16 else 1e-6)
    assert (found.rate, found.kind) == (RATE, f"{bits}-bit{' float' if kind == 3 else ''}")


NAN = np.where(np.arange(4000) == 7, np.nan, TONE)
BAD = [
    (b"", "it is empty"),
    (b"These are words, and no sound.", "it is no .wav file: it begins with 'These are wo'"),
    (wav(TONE)[:30], "no header (chunk 'fmt ')"),
    (wav(TONE)[:48], "no samples (chunk 'data')"),
    (wav([]), "its length is zero"),
    (wav(TONE, codec=85), "its codec is not read, number 85 (MP3): save it as PCM"),
    (wav(TONE, block=3), "its header cannot be right: 1 channels, 8000 samples in a second, 3 bytes for 16 bits"),
    (wav(TONE, rate=0), "its header cannot be right"),
    (wav(TONE).replace(b"RIFF", b"RIFX"), "of the kind RIFX"),
    (wav(NAN, 32, 3), "samples that are NaN or infinite"),
]


@pytest.mark.parametrize(("content", "said"), BAD)
def test_bad_files_are_one_sentence_each(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(TONE))
    (tmp_path / "b.wav").write_bytes(content)
    with pytest.raises(DataError) as error:
        len(Sound(tmp_path))
    assert f"cannot read {tmp_path / 'b.wav'}: it" in str(error.value)
    assert said in str(error.value) and "\n" not in str(error.value) and "source.on_error=skip" in str(error.value)


def test_bad_files_are_skipped_and_listed(tmp_path: Path) -> None:
    for k, (content, _) in enumerate(BAD):
        (tmp_path / f"bad{k}.wav").write_bytes(content)
    for k in range(6):
        (tmp_path / f"good{k}.wav").write_bytes(wav(TONE))
    source = Sound(tmp_path, on_error="skip")
    assert len(source) == 6
    assert source.skipped.startswith(f"skipped {len(BAD)} of {len(BAD) + 6} clips: bad0.wav (it is empty), bad1.wav (")
    report = Sound.inspect(tmp_path)
    assert "0.50 to 0.50 s" in str(report) and "8000 Hz, 16-bit, 1 channel (6)" in str(report)
    assert len(report.list_bad().splitlines()) == len(BAD)


def test_mel_is_htks() -> None:
    """Young et al. 2006, The HTK Book, eq. 5.13; worked out by hand: 2595 log10(2) = 781.17 at 700 Hz."""
    np.testing.assert_allclose(mel(np.array([0.0, 700.0, 6300.0])), [0, 2595 * np.log10(2), 2595], atol=1e-9)
    np.testing.assert_allclose(hertz(mel(np.array([20.0, 440.0, 4000.0]))), [20, 440, 4000])
    at = edges(30, RATE, 20.0)
    assert (at[0].round(6), at[-1].round(6), len(at)) == (20.0, 4000.0, 32)
    np.testing.assert_allclose(np.diff(mel(at)), np.diff(mel(at))[0])


def test_a_band_is_a_triangle() -> None:
    """Two bands from 0 to 4000 Hz: edges at 0, 715.4, 1430.8 and 2146.1 mel, bins 1000 Hz apart."""
    low, middle, high = (700 * (10 ** (k * mel(4000.0) / 3 / 2595) - 1) for k in (1, 2, 3))
    expected = [
        [0, (middle - 1000) / (middle - low), 0, 0, 0],
        [0, (1000 - low) / (middle - low), (high - 2000) / (high - middle), (high - 3000) / (high - middle), 0],
    ]
    np.testing.assert_allclose(filters(2, 8, RATE, 0.0), expected, atol=1e-12)


def test_the_log_mel_of_a_tone_by_hand() -> None:
    """A sine of amplitude a at a bin f has the power (a W / 4)² at f and (a W / 8)² at its two neighbors."""
    window, a, bin_ = 256, 0.5, 32  # 1000 Hz
    x = a * np.sin(2 * np.pi * bin_ * np.arange(1024) / window)
    found = log_mel(x, RATE, 20, window, 128, 0.0)
    assert found.shape == (20, 7)
    bank = filters(20, window, RATE, 0.0)
    power = bank[:, bin_] * (a * window / 4) ** 2 + (bank[:, bin_ - 1] + bank[:, bin_ + 1]) * (a * window / 8) ** 2
    np.testing.assert_allclose(found, np.log(power + 1e-6)[:, None] * np.ones(7), atol=1e-6)


@pytest.mark.parametrize(("rate", "new"), [(44_100, 8000), (16_000, 8000), (8000, 16_000), (22_050, 16_000)])
def test_resampling(rate: int, new: int) -> None:
    """A tone below both limits comes out at its own times; one above the new limit is gone."""
    t, s = np.arange(rate // 2) / rate, np.arange(-(-(rate // 2) * new // rate)) / new
    inside = slice(300, -300)
    y = resampled(np.sin(2 * np.pi * 2900 * t), rate, new)
    np.testing.assert_allclose(y[inside], np.sin(2 * np.pi * 2900 * s)[inside], atol=5e-4)
    if rate > 1.2 * new:
        assert np.abs(resampled(np.sin(2 * np.pi * 0.55 * new * t), rate, new)[inside]).max() < 1e-4


def test_resampling_is_scipys() -> None:
    signal = pytest.importorskip("scipy.signal")
    x = np.random.default_rng(0).normal(size=3000)
    x = signal.lfilter(*signal.butter(8, 0.15), x)  # nothing near the limits, where filters differ
    np.testing.assert_allclose(
        resampled(x, 44_100, 16_000)[50:-50], signal.resample_poly(x, 160, 441)[50:-50], atol=2e-3 * np.abs(x).max()
    )


def clips(root: Path, names: list[str]) -> Path:
    rng = np.random.default_rng(0)
    for k, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        noise = 0.01 * rng.normal(size=4000)
        (root / name).write_bytes(wav((TONE + noise)[: 1000 + 100 * k]))
    return root


SPOKEN = [f"{digit}_{who}_{take}.wav" for digit in range(3) for who in ("theo", "anna") for take in range(4)]


@pytest.mark.parametrize(
    ("names", "settings", "held_out"),
    [
        (SPOKEN, {"label": "([^_]+)_", "hold_out": "_theo_"}, {n for n in SPOKEN if "theo" in n}),
        (SPOKEN, {"label": "([0-9])_", "hold_out": r"_[01]\."}, {n for n in SPOKEN if n[-5] in "01"}),
        ([f"{p}/{c}/{k}.wav" for p in ("train", "test") for c in "012" for k in range(3)], {},
         {f"test/{c}/{k}.wav" for c in "012" for k in range(3)}),
    ],
)  # fmt: skip
def test_classes_and_parts(names: list[str], settings: dict[str, str], held_out: set[str], tmp_path: Path) -> None:
    source = Sound(clips(tmp_path, names), **settings)
    assert kind_of(tmp_path) == "sound"
    assert source.classes == ["0", "1", "2"]
    assert set(source.split("val").names) == held_out
    assert set(source.split("train").names) == {*names} - held_out


def test_another_folder_is_read_alike(tmp_path: Path) -> None:
    source = Sound(clips(tmp_path / "a", SPOKEN), label="([0-9])_", hold_out="_theo_", bands=20)
    other: Any = source.at(clips(tmp_path / "b", [f"{k}_maria_{k}.wav" for k in range(3)] * 3))
    assert (other.shape, other.classes, other.settings.hold_out) == ((1, 20, 40), ["0", "1", "2"], None)
    np.testing.assert_array_equal(other.scale[0], source.scale[0])


def test_a_share_is_held_out_where_nothing_says_which(tmp_path: Path) -> None:
    source = Sound(clips(tmp_path, SPOKEN), validation=0.25)
    assert (len(source.split("val")), source.labels) == (6, None)


def test_an_example_is_a_standardized_spectrogram_that_is_quiet_behind_its_end(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(TONE))
    (tmp_path / "b.wav").write_bytes(wav(np.stack([TONE[:1000]] * 2, axis=1), 32, 3))
    plain, standard = (Sound(tmp_path, standardize=flag, frames=20).read([0, 1]) for flag in (False, True))
    np.testing.assert_allclose(plain[0, 0], log_mel(TONE, RATE, 32, 256, 128)[:, :20], atol=0.1)  # 16 bits
    np.testing.assert_allclose(plain[1, 0, :, 6:], plain[1, 0, :, :6].min(), rtol=1e-6)
    np.testing.assert_allclose(standard[1, 0, :, :6].mean(), 0, atol=1e-5)
    np.testing.assert_allclose(standard[1, 0, :, :6].std(), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"label": "[0-9]_"}, "label=[0-9]_: needs a group in parentheses"),
        ({"label": "([0-9"}, "label=([0-9: must be a regular expression"),
        ({"window": 1.0, "rate": 1000}, "window=1.0: is less than four samples"),
        ({"hop": 0.1, "rate": 1000}, "hop=0.1: is less than a sample"),
    ],
)
def test_odd_settings(settings: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        Sound(tmp_path, **settings)
    assert said in str(error.value)


@pytest.mark.parametrize(("pattern", "said"), [("_nobody_", "found in none of the 24"), ("wav", "found in all of")])
def test_a_pattern_that_leaves_a_part_empty(pattern: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        len(Sound(clips(tmp_path, SPOKEN), hold_out=pattern))
    assert said in str(error.value)
