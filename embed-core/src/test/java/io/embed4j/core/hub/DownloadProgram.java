// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.hub;

import io.embed4j.DownloadListener;
import java.time.Duration;

/** Downloads a model in a process of its own; the variables say from where and where to. */
final class DownloadProgram {
    private DownloadProgram() {}

    /** With the model's name. */
    public static void main(String[] args) {
        Patience patience = Patience.of(Duration.ofSeconds(20), Duration.ofSeconds(20));
        HubModel model =
                new HubModel(HubName.parse(args[0]), HubSettings.ofProcess().withPatience(patience));
        System.out.println(model.whole(directory -> {}, DownloadListener.NONE));
    }
}
