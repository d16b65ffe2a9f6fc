// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.hub;

import io.embed4j.HelpTopic;
import io.embed4j.ModelDownloadException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A model's name on the Hub.
 *
 * @param repository {@code org/name}; a few old models have a name only
 * @param revision a branch, a tag, a pull request ({@code refs/pr/1}) or a commit
 */
public record HubName(String repository, String revision) {
    /** How the name of a model on the Hub begins. */
    public static final String SCHEME = "hf:";

    private static final String DEFAULT_REVISION = "main";
    private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");
    private static final String PART = "[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?";
    private static final Pattern NAME = Pattern.compile("((?:" + PART + "/)?" + PART + ")(?:@([^@\\s]{1,200}))?");

    /** What git does not allow in a branch's name, and what would leave the cache. */
    private static final Pattern BAD_REVISION =
            Pattern.compile("\\.\\.|//|^[/.-]|[/.]$|[\\x00-\\x1f~^:?*\\[\\\\]|@\\{");

    /**
     * Reads a name.
     *
     * @param text {@code hf:org/name}, {@code hf:org/name@revision}
     * @throws ModelDownloadException if it can be no model's name
     */
    public static HubName parse(String text) {
        Matcher matcher = NAME.matcher(text.substring(SCHEME.length()));
        if (!matcher.matches()
                || matcher.group(1).contains("--")
                || matcher.group(1).contains("..")
                || (matcher.group(2) != null
                        && BAD_REVISION.matcher(matcher.group(2)).find())) {
            throw new ModelDownloadException(
                    HelpTopic.MODEL_NOT_FOUND,
                    "\"" + text + "\" is not the name of a model on the Hub. Write hf:ORG/NAME or"
                            + " hf:ORG/NAME@REVISION, for instance hf:BAAI/bge-small-en-v1.5@main.");
        }
        return new HubName(matcher.group(1), matcher.group(2) == null ? DEFAULT_REVISION : matcher.group(2));
    }

    /** Whether a text is the full hash of a commit, which always means the same files. */
    static boolean isCommit(String text) {
        return COMMIT.matcher(text).matches();
    }

    /** The revision as a segment of a URL. */
    String encodedRevision() {
        return URLEncoder.encode(revision, StandardCharsets.UTF_8).replace("+", "%20");
    }

    @Override
    public String toString() {
        return SCHEME + repository + (revision.equals(DEFAULT_REVISION) ? "" : "@" + revision);
    }
}
