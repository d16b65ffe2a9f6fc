/** What every backend is tested against: reference vectors, the bar, and the contract. For test scope. */
@NullMarked
package io.embed4j.testkit;

import org.jspecify.annotations.NullMarked;
