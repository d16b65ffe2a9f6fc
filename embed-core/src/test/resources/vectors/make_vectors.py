# Makes the files beside it: numpy 2.4.6, safetensors 0.8.0. Every number is exact in fp16.
import numpy as np
from safetensors.numpy import save_file

a = np.arange(15, dtype=np.float64).reshape(3, 5) / 8 - 0.5
for t in ("f8", "f4", "f2"):
    np.save(f"{t}.npy", a.astype("<" + t))
np.save("fortran.npy", np.asfortranarray(a))
np.save("int.npy", a.astype("<i4"))
np.save("flat.npy", a[0])
np.lib.format.write_array(open("version2.npy", "wb"), a.astype("<f4"), version=(2, 0))
save_file({"embeddings": a.astype(np.float32)}, "one.safetensors")
save_file({"a": a.astype(np.float16), "b": a.astype(np.float32), "c": a[0].astype(np.float32)}, "two.safetensors")
