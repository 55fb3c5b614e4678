"""Names and keywords of NumPy's that CuPy has not. `cupy_names` writes both, and a test compares them with a CuPy."""

# written by `python -m tests.minitensor.cupy_names`, of NumPy 2.5.5 and CuPy 14.2.0
MISSING = frozenset(
    """False_ ScalarType True_ asmatrix block bmat busday_count busday_offset busdaycalendar bytes_ char character
    clongdouble complex256 core ctypeslib datetime64 datetime_as_string datetime_data dtypes einsum_path emath
    errstate f2py flexible float128 frompyfunc fromregex geomspace get_include getbufsize geterr geterrcall
    histogram_bin_edges info insert is_busday isnat little_endian longdouble ma matrix matvec memmap nanpercentile
    nanquantile ndenumerate nditer nested_iters object_ polyder polydiv polyint rec recarray record sctypeDict
    setbufsize seterr seterrcall show_runtime spacing str_ strings test timedelta64 typecodes unstack vecdot vecmat
    void
    """.split()
)
GROUPS = {
    "A hermitian rtol": """linalg.matrix_rank
    """,
    "a": """array_str histogram linalg.matrix_power
    """,
    "ar1 ar2": """intersect1d union1d
    """,
    "arr": """extract take_along_axis
    """,
    "arrays": """stack
    """,
    "ary": """ediff1d
    """,
    "axis": """lexsort trim_zeros
    """,
    "correction mean where": """nanstd nanvar std var
    """,
    "count": """unpackbits
    """,
    "descending order stable": """argsort sort
    """,
    "device": """astype empty_like full_like linspace ones_like zeros_like fft.fftfreq fft.rfftfreq
    """,
    "device like": """arange asanyarray asarray empty eye full ones zeros
    """,
    "encoding fix_imports max_header_size": """load
    """,
    "hermitian": """linalg.svd
    """,
    "hermitian rtol": """linalg.pinv
    """,
    "initial where": """amax amin max min nanmax nanmin nanprod nansum prod sum
    """,
    "keepdims": """count_nonzero
    """,
    "kind": """isin
    """,
    "kind order": """argpartition partition
    """,
    "like": """ascontiguousarray asfortranarray identity require tri
    """,
    "like ndmax object": """array
    """,
    "m": """cov flip fliplr flipud rot90
    """,
    "max min": """clip
    """,
    "mode": """show_config take
    """,
    "obj": """delete
    """,
    "out": """fft.fft fft.fft2 fft.fftn fft.hfft fft.ifft fft.ifft2 fft.ifftn fft.ihfft fft.irfft fft.irfft2 fft.irfftn
    fft.rfft fft.rfft2 fft.rfftn
    """,
    "shape": """reshape unravel_index
    """,
    "sorted": """unique
    """,
    "sparse": """indices
    """,
    "subok": """broadcast_arrays broadcast_to copy
    """,
    "upper": """linalg.cholesky
    """,
    "weights": """percentile quantile
    """,
    "where": """all any mean nanmean
    """,
    "x": """corrcoef
    """,
}

LACKING = {function: frozenset(words.split()) for words, functions in GROUPS.items() for function in functions.split()}
