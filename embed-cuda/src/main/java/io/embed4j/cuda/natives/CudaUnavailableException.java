// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import io.embed4j.DeviceUnavailableException;

/** A CUDA device, or all of CUDA, cannot be used: which problem, what was seen, what would help. */
public final class CudaUnavailableException extends DeviceUnavailableException {
    private static final long serialVersionUID = 1L;

    private final CudaProblem problem;
    private final String seen;
    private final String remedy;

    CudaUnavailableException(CudaProblem problem, String seen, String remedy) {
        super(seen + " " + remedy + " See " + problem.link() + ".");
        this.problem = problem;
        this.seen = seen;
        this.remedy = remedy + " See " + problem.link() + ".";
    }

    /** Which problem it is. */
    public CudaProblem problem() {
        return problem;
    }

    /** What was seen, in sentences. */
    public String seen() {
        return seen;
    }

    /** What would help, in sentences, the last of which names the documentation. */
    public String remedy() {
        return remedy;
    }
}
