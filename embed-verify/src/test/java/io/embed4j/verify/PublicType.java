// SPDX-License-Identifier: Apache-2.0
package io.embed4j.verify;

import com.sun.source.doctree.DocCommentTree;
import com.sun.source.doctree.DocTree;
import com.sun.source.doctree.LiteralTree;
import com.sun.source.doctree.StartElementTree;
import com.sun.source.tree.ClassTree;
import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.Tree;
import com.sun.source.util.DocTrees;
import com.sun.source.util.JavacTask;
import com.sun.source.util.TreePath;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import javax.lang.model.element.Modifier;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.ToolProvider;
import org.jspecify.annotations.Nullable;

/**
 * A public type and the examples in its Javadoc, as the compiler's own parser reads them.
 *
 * @param name qualified, nested types behind a dot
 * @param snippets the text of each {@code code} tag that opens a {@code <pre>}, without the leading stars
 */
record PublicType(String name, List<String> snippets) {

    /** Copies the list. */
    PublicType {
        snippets = List.copyOf(snippets);
    }

    /** Parses sources; types within types come behind the type that holds them. */
    static List<PublicType> read(Iterable<? extends JavaFileObject> sources) throws IOException {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        JavacTask task = (JavacTask) compiler.getTask(null, null, null, List.of("-proc:none"), null, sources);
        Reader reader = new Reader(DocTrees.instance(task));
        for (CompilationUnitTree file : task.parse()) {
            for (Tree declaration : file.getTypeDecls()) {
                if (declaration instanceof ClassTree type) {
                    reader.read(new TreePath(new TreePath(file), type), file.getPackageName() + ".", false);
                }
            }
        }
        return reader.found;
    }

    private static final class Reader {
        private final DocTrees trees;
        private final List<PublicType> found = new ArrayList<>();

        Reader(DocTrees trees) {
            this.trees = trees;
        }

        void read(TreePath path, String prefix, boolean memberOfInterface) {
            ClassTree type = (ClassTree) path.getLeaf();
            if (!memberOfInterface && !type.getModifiers().getFlags().contains(Modifier.PUBLIC)) {
                return;
            }
            String name = prefix + type.getSimpleName();
            found.add(new PublicType(name, snippets(trees.getDocCommentTree(path))));
            boolean isInterface = type.getKind() == Tree.Kind.INTERFACE || type.getKind() == Tree.Kind.ANNOTATION_TYPE;
            for (Tree member : type.getMembers()) {
                if (member instanceof ClassTree) {
                    read(new TreePath(path, member), name + ".", isInterface);
                }
            }
        }
    }

    private static List<String> snippets(@Nullable DocCommentTree comment) {
        List<String> snippets = new ArrayList<>();
        List<? extends DocTree> body = comment == null ? List.of() : comment.getFullBody();
        for (int i = 1; i < body.size(); i++) {
            if (body.get(i - 1) instanceof StartElementTree tag
                    && tag.getName().contentEquals("pre")
                    && body.get(i) instanceof LiteralTree code
                    && code.getKind() == DocTree.Kind.CODE) {
                snippets.add(code.getBody().getBody().stripIndent().strip());
            }
        }
        return snippets;
    }
}
