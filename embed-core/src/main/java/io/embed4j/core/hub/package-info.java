/** Models from the Hugging Face Hub, in the cache that Python's huggingface_hub keeps too. */
@NullMarked
package io.embed4j.core.hub;

import org.jspecify.annotations.NullMarked;
