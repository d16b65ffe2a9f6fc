// SPDX-License-Identifier: Apache-2.0
/** The GPU check: this module's tests on a machine that has a device and nothing else; embed-bench/gpu starts it. */
@NullMarked
package io.embed4j.cuda.check;

import org.jspecify.annotations.NullMarked;
