"""The vector of a text by sentence-transformers, as JSON: vector.py ORG/NAME TEXT"""

import json
import sys

from sentence_transformers import SentenceTransformer

model, text = sys.argv[1:]
print(json.dumps(SentenceTransformer(model, device="cpu").encode(text).tolist()))
