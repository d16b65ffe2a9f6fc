// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.hub;

import io.embed4j.HelpTopic;
import io.embed4j.ModelDownloadException;
import io.embed4j.ModelFormatException;
import io.embed4j.core.file.JsonConfig;
import java.util.HashSet;
import java.util.Set;

/**
 * The files of a revision.
 *
 * @param commit the commit that the revision means now
 * @param paths the files' paths in the repository
 */
record HubListing(String commit, Set<String> paths) {

    static HubListing parse(HubName name, String json) {
        try {
            JsonConfig answer = JsonConfig.parse("The Hub's answer for " + name, json);
            String commit = answer.stringValue("sha");
            if (!HubName.isCommit(commit)) {
                throw new ModelFormatException(answer.source() + ": \"sha\" is \"" + commit + "\", not a commit.");
            }
            Set<String> paths = new HashSet<>();
            for (JsonConfig file : answer.objects("siblings")) {
                paths.add(file.stringValue("rfilename"));
            }
            return new HubListing(commit, Set.copyOf(paths));
        } catch (ModelFormatException e) {
            throw new ModelDownloadException(
                    HelpTopic.HUB_UNREACHABLE, e.getMessage() + " Is HF_ENDPOINT a Hub, or a proxy in between?", e);
        }
    }
}
