// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine.IVersionProvider;

/** Says what runs: the version in the jar's manifest and the Java that runs it. */
final class Version implements IVersionProvider {

    @Override
    public String[] getVersion() {
        @Nullable String version = Main.class.getPackage().getImplementationVersion();
        return new String[] {
            "embed " + (version == null ? "(not packaged)" : version) + " (Java " + Runtime.version() + ")"
        };
    }
}
