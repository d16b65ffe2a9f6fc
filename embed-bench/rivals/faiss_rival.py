# SPDX-License-Identifier: Apache-2.0
"""FAISS IndexFlatIP for compare-index: answers each line "Q k" with the seconds that the first Q queries took, and the rows
found for the last of them. Needs faiss-cpu and numpy."""
import os
import sys
import time

import faiss
import numpy as np

rows, queries = (np.load(name) for name in sys.argv[1:3])
faiss.omp_set_num_threads(len(os.sched_getaffinity(0)))
index = faiss.IndexFlatIP(rows.shape[1])
index.add(rows)
del rows
print("ready", flush=True)
for line in sys.stdin:
    count, k = map(int, line.split())
    start = time.perf_counter()
    _, ids = index.search(queries[:count], k)
    seconds = time.perf_counter() - start
    print(f"{seconds:.6f}", *ids[-1], flush=True)
