"""Cases: matrix products."""

from __future__ import annotations

import numpy as np

from minitensor.ops.linalg import matmul as linalg
from tests.minitensor.cases.case import case, normal

for op_ in (linalg.bmm, linalg.matmul):
    case(op_, normal(2, 3), normal(3, 2), ref=np.matmul)
    case(op_, normal(2, 1, 2, 3), normal(2, 3, 1), ref=np.matmul)
    case(op_, normal(2, 3), normal(2, 3, 2), ref=np.matmul)
    case(op_, normal(2, 0), normal(0, 2), ref=np.matmul)
case(linalg.matmul, normal(3), normal(3), ref=np.matmul)
case(linalg.matmul, normal(3), normal(2, 3, 2), ref=np.matmul)
case(linalg.matmul, normal(2, 2, 3), normal(3), ref=np.matmul)
case(linalg.linear, normal(2, 2, 3), normal(4, 3), normal(4), ref=lambda x, w, b: x @ w.T + b)
case(linalg.linear, normal(3), normal(2, 3), ref=lambda x, w: x @ w.T)
for subscripts_, shapes_ in {
    "ij,jk->ik": ((2, 3), (3, 2)),
    "ij,jk": ((2, 3), (3, 2)),
    "bij,bjk->bik": ((2, 2, 3), (2, 3, 1)),
    "bhid,bhjd->bhij": ((1, 2, 2, 3), (1, 2, 2, 3)),
    "...ij,...jk->...ik": ((2, 1, 2), (2, 2, 1)),
    "i,j->ij": ((2,), (3,)),
    "i,i->": ((3,), (3,)),
    "ij->ji": ((2, 3),),
    "ij->": ((2, 3),),
    "ii->i": ((3, 3),),
    "ii": ((3, 3),),
    "iij->j": ((2, 2, 3),),
    "ij,k->k": ((2, 2), (3,)),
    "ij,jk,kl->il": ((2, 2), (2, 3), (3, 2)),
    "ii,ij->j": ((2, 2), (2, 3)),
}.items():
    case(
        linalg.einsum,
        *(normal(*s) for s in shapes_),
        subscripts=subscripts_,
        ref=lambda *xs, s=subscripts_: np.einsum(s, *xs),
        note=subscripts_,
    )
