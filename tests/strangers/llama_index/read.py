"""llama-index's reader of Google Drive, as a program for the tests: JSON in, the documents that it makes as JSON out.

Standard input: `{"verb": …, "reader": …, "arguments": …}`: what to do, the arguments of `GoogleDriveReader` and those
of the verb. `load` prints the documents' texts, `list` the ids, `contents` the SHA-256 of each listed file's bytes.
It is run by the Python that has the reader, not by that of the tests.
"""

import hashlib
import json
import sys
from typing import Any

from llama_index.readers.google import GoogleDriveReader


def main() -> None:
    """Do what is asked, and print the result."""
    asked: dict[str, Any] = json.load(sys.stdin)
    reader = GoogleDriveReader(is_cloud=True, raise_errors=True, **asked["reader"])
    arguments = asked["arguments"]
    match asked["verb"]:
        case "load":
            documents = reader.load_data(**arguments)
            result: Any = {document.metadata["file path"]: document.text for document in documents}
        case "list":
            result = reader.list_resources(**arguments)
        case _:
            listed = reader.list_resources(**arguments)
            result = {each: hashlib.sha256(reader.read_file_content(each)).hexdigest() for each in listed}
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
