/** The index beside other libraries' exact search. */
@NullMarked
package io.embed4j.bench.index;

import org.jspecify.annotations.NullMarked;
