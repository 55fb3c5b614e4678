"""Tables: what is read, what an encoder sees of it, and what is refused in which words."""

from pathlib import Path

import numpy as np
import pytest

from jepa.errors import ConfigError, DataError, JEPAError
from jepa.parts import kind_of, load
from jepa.sources.tables.delimited import read_rows
from jepa.sources.tables.table import Table

TEXT = "age,color,size,class\n" + "30,red,1.5,a\n?,blue,2.5,b\n50,red,NA,a\n20,,0.5,b\n" * 5


def table(folder: Path, text: str = TEXT, **settings: object) -> Table:
    path = folder / "t.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return Table(path, **settings)


def test_numbers_are_standardized_and_words_have_channels(tmp_path: Path) -> None:
    found = table(tmp_path)
    train = found.split("train")
    assert found.shape == (3, 3) and found.layout.names == ["age", "color", "size"] and found.gaps
    assert found.classes == ["a", "b"] and found.labels is not None and found.labels.tolist() == [0, 1, 0, 1] * 5
    x = train.normalize(train.read(range(len(train))))
    for j in (0, 2):
        np.testing.assert_allclose(np.nanmean(x[:, 0, j]), 0, atol=1e-6)
        np.testing.assert_allclose(np.nanstd(x[:, 0, j]), 1, atol=1e-6)
    whole = found.read(range(4))
    assert np.isnan(whole[1, :, 0]).all() and np.isnan(whole[2, :, 2]).all() and np.isnan(whole[3, :, 1]).all()
    assert found.layout.words[1] == ["red", "blue"]
    np.testing.assert_array_equal(whole[:3, :, 1], [[1, 0, 0], [0, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(whole[0, 1:, 0], 0)
    assert found.raw(whole).shape == (4, 9) and np.isfinite(found.raw(whole)).all()
    assert kind_of(tmp_path / "t.csv") == "table"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    found = table(tmp_path, "\ufeff" + TEXT.replace(",", delimiter), limit=None)
    np.testing.assert_array_equal(found.read([0]), table(tmp_path).read([0]))


def test_a_comma_stands_before_decimals_where_it_does_not_divide_cells(tmp_path: Path) -> None:
    comma = table(tmp_path, "a;b\n" + "1,5;1\n2,5;3\n" * 4)
    assert comma.shape == (1, 2) and comma.held.arrays[""][:2, 0].tolist() == [1.5, 2.5]


def test_settings_name_columns(tmp_path: Path) -> None:
    found = table(tmp_path, label="color", leave_out="size", categorical="age")
    assert found.layout.names == ["age", "class"] and found.classes == ["blue", "red"]
    assert found.labels is not None and found.labels.tolist()[:4] == [1, 0, 1, -1]
    assert found.columns[0][0].words == ["20", "30", "50"]
    few = table(tmp_path, categories=1)
    np.testing.assert_array_equal(few.read([0, 1])[:, :, 1], [[1, 0], [0, 1]])  # blue is one of the others
    fixed = table(tmp_path, mean=[0.0], std=[2.0])
    np.testing.assert_allclose(fixed.read([0])[0, 0, [0, 2]], [15, 0.75])


def test_parts_that_a_column_or_a_file_says(tmp_path: Path) -> None:
    column = table(tmp_path, "a,part\n1,train\n2,test\n3,train\n4,val\n", split_column="part")
    assert column.split("val").names == ["3", "5"] and column.layout.names == ["a"]
    (tmp_path / "v.csv").write_text("class,size,color,age\nb,9,green,1\nb,8,red,?\n")
    files = table(tmp_path, val=str(tmp_path / "v.csv"))
    assert (len(files.split("train")), len(files.split("val"))) == (20, 2)
    np.testing.assert_array_equal(files.split("val").read([0, 1])[:, :, 1], [[0, 0, 1], [1, 0, 0]])  # green is new


def test_another_table_is_read_as_the_one_that_was_learned_from(tmp_path: Path) -> None:
    found = table(tmp_path, label="class")
    other = tmp_path / "other.csv"
    other.write_text("size,new,color,age\n3.5,1,blue,20\n1.5,2,violet,30\n1,1,red,1\n")
    read = found.at(other)
    assert read.labels is None and len(read) == 3
    np.testing.assert_array_equal(read.read([1])[0, :, 0], found.read([0])[0, :, 0])
    np.testing.assert_array_equal(read.read([1])[0, :, 1], [0, 0, 1])
    other.write_text("size,age\n1,2\n")
    with pytest.raises(DataError, match=r"other\.csv: there is no column color"):
        found.at(other).read([0])
    other.write_text("size,color,age\n1,red,x\n2,red,y\n")
    with pytest.raises(DataError, match="column age has words, and numbers are wanted"):
        found.at(other).read([0])


REFUSED = [
    (b"", {}, "has nothing in it: it needs a line with the names"),
    (b"\n \n", {}, "has nothing in it"),
    (b"a,b\n", {}, "has nothing in it but a header"),
    (b"a,a\n1,2\n", {}, "has two columns a"),
    (b"a,\n1,2\n", {}, "has a column without a name"),
    (b"a,b\n1,2\n3\n", {}, r"line 3 has 1 cells, and the header 2: .*on_error=skip"),
    (b'a,b\n"1\n",2\n3,4,5\n', {}, r"line 4 has 3 cells"),
    (b"a,b\n1,2\nx,3\n4,5\n", {}, r"line 3 has 'x' in the column a, no number among numbers: correct it"),
    (b"a,b\nu,2\nv,3\nw,3\n4,5\n", {}, r"line 5 has '4' in the column a, a number among words"),
    (b"a,b\n1,\n2,?\n3,NA\n", {}, "the column b is missing in every row to learn from"),
    (b"a,y\n1,p\n2,p\n", {}, "the column y, source.label, says p in every row: classes are at least two"),
    (b"a,y\n1,\n2,\n", {}, "the column y, source.label, has no value"),
    (b"a,y\n1,0.5\n2,1.5\n", {}, "has numbers that are no classes, such as 0.5"),
    (b"a,b\n1,2\n", {"label": "c"}, r"source\.label=c: .*there is no column c\. Columns: a, b"),
    (b"alpha,b\n1,2\n", {"leave_out": "alhpa"}, r"source\.leave_out=alhpa: .*Did you mean 'alpha'"),
    (b"a,b\n1,2\n", {"categorical": "z"}, r"source\.categorical=z"),
    (b"a,b\n1,2\n", {"split_column": "z"}, r"source\.split_column=z"),
    (b"a,b\n1,here\n", {"split_column": "b"}, "row 1 says 'here': it must be train or val"),
    (b"a\n1\n2\n", {"leave_out": "a"}, "has no column to learn from beside a"),
    (b"a,b\n\xff\xfe,2\n", {}, "is no UTF-8 text"),
    (b"a,b\n1,2\n3,4\n", {"mean": (1, 2, 3)}, "source.mean has 3 numbers, and the table 2 columns of numbers"),
]


@pytest.mark.parametrize(("text", "settings", "said"), REFUSED)
def test_what_is_refused(tmp_path: Path, text: bytes, settings: dict[str, object], said: str) -> None:
    with pytest.raises(JEPAError, match=said) as error:
        found = table(tmp_path, text, **settings)  # type: ignore[arg-type]
        found.split("train").read([0])
    assert "\n" not in str(error.value)


def test_rows_that_cannot_be_read_are_skipped_and_listed(tmp_path: Path) -> None:
    found = table(tmp_path, "a,b\n1,2\nx,3\n4,5\n6\n7,8\n", on_error="skip")
    assert found.names == ["2", "4", "6"]
    assert found.skipped.startswith("left out 2 rows of ") and "line 5 has 1 cells" in found.skipped
    report = load("source", "table").inspect(tmp_path / "t.csv")
    assert "column a: numbers, 1 to 7" in str(report) and "'x' in the column a" in report.list_bad()


def test_what_inspect_says(tmp_path: Path) -> None:
    table(tmp_path)
    said = str(load("source", "table").inspect(tmp_path / "t.csv"))
    for text in (
        "20 examples of (3, 3), 2 classes",
        "column color: 2 words: blue, red, missing in 5 rows",
        "have gaps",
    ):
        assert text in said


def test_a_table_needs_a_place() -> None:
    with pytest.raises(ConfigError, match=r"source=table needs source\.path=FILE\.csv, or source\.dataset"):
        Table()
    with pytest.raises(DataError, match="cannot read nowhere.csv"):
        read_rows(Path("nowhere.csv"))


def test_a_sample_is_written_where_it_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    wine = Table(dataset="wine")
    assert wine.shape == (1, 13) and len(wine) == 178 and len(wine.classes) == 3 and not wine.gaps
    assert (tmp_path / "data" / "wine.csv").is_file() and wine.missing == ""
    again = Table(wine.located())
    (tmp_path / "data" / "wine.csv").unlink()
    assert again.fingerprint() == wine.fingerprint()
