/**
 * The seam that every backend implements. A {@link io.embed4j.spi.Device} owns memory; encoders and indexes are its
 * tenants, so that models and an index on one card share one account.
 */
@NullMarked
package io.embed4j.spi;

import org.jspecify.annotations.NullMarked;
