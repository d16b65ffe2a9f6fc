/**
 * The vector index: ids, snapshots and files in front of a backend's shard; exact scores and the margin of scans; the
 * plain-Java twin of every shard.
 */
@NullMarked
package io.embed4j.core.index;

import org.jspecify.annotations.NullMarked;
