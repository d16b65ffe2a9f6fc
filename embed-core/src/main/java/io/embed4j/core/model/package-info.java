/** From the name of a model to its definition: files found, configuration read, weights located and checked. */
@NullMarked
package io.embed4j.core.model;

import org.jspecify.annotations.NullMarked;
