"""codespell finds no misspelling in sources and documents."""

import os
import re
import sys

import source_tree

# Words that codespell takes for misspellings.
IGNORED = "ans,inout,fo,te,nd,hist,ot,ue,ba,ro,fpr,als,mis,ser,crate,numer,copyable,sinkhorn,statics,nothink,kno,startin,thi"
EXEMPT = re.compile(r"tests/(golden|fuzz/corpus)/|examples/krill/.*\.(json|txt|safetensors)$|.*requirements\.txt$")


def main():
    options = source_tree.parser(__doc__).parse_args()
    paths = [path for path in source_tree.files(options.root) if not EXEMPT.match(path)]
    if not paths:
        return source_tree.report([], 0)
    os.chdir(options.root)
    return source_tree.run_tool(["codespell", "--ignore-words-list", IGNORED, *paths])


if __name__ == "__main__":
    sys.exit(main())
