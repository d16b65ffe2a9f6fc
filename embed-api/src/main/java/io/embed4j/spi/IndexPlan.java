// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

/**
 * The bytes that an index shard of some number of rows needs.
 *
 * <pre>{@code
 * IndexPlan plan = new IndexPlan(new MemoryPlan(7_680_000_000L, 0, 300_000_000L), 15_360_000_000L);
 * if (plan.device().totalBytes() != 7_980_000_000L) throw new AssertionError();
 * }</pre>
 *
 * @param device bytes on the device, reserved in its ledger as the shard grows: vectors as weights, buffers of searches
 *     under way as workspace
 * @param hostBytes bytes of fp32 rows that the host keeps for a shard on another device, in memory or as a mapped file; 0 if
 *     the device is the host
 * @since 0.1
 */
public record IndexPlan(MemoryPlan device, long hostBytes) {}
