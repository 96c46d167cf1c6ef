#!/usr/bin/env python3
"""Fans a folder of leaked files out over Spark: each worker pipes parts of files through `telltale scan --parts`.

The folder must be mounted at the same place on every worker, as a shared disk or a mounted bucket is. Parts are byte
ranges, so that one large file keeps all workers busy; archives and documents go whole. The output is the same as that of
one `telltale scan FOLDER`, sorted by file and offset: offsets and lines are those of the original file.

No key is in a command line, in the job or in its environment: workers are given the path of a file that each of them
has, readable by the user the job runs as.

    spark-submit scan_folder.py FOLDER --telltale /usr/local/bin/telltale --config /etc/telltale/telltale.toml
    spark-submit scan_folder.py FOLDER --telltale /usr/local/bin/telltale --index canaries.idx --key-file /etc/telltale/index.key

With --config, `telltale serve` runs on each worker's machine. Exit: 0 something was found, 1 nothing, 2 an error, 3 nothing
in what was read, and not all was read.
"""

import argparse
import collections
import json
import shlex
import subprocess
import sys


def arguments():
    parser = argparse.ArgumentParser(description="Scan a folder for canaries on Spark.")
    parser.add_argument("folder")
    parser.add_argument("--telltale", default="telltale", help="the program, at the same place on every worker")
    parser.add_argument("--config", help="the configuration of the service that runs on every worker")
    parser.add_argument("--index", help="an index file, at the same place on every worker")
    parser.add_argument("--key-file", help="the file with the index's key, at the same place on every worker")
    parser.add_argument("--part", default="64M", help="the length of a part")
    parser.add_argument("--partitions", type=int, default=8)
    return parser.parse_args()


def command(options, *words):
    """The program with these words. The key is named by its file, and that in the environment."""
    parts = [options.telltale]
    if options.config:
        parts += ["--config", options.config]
    parts += ["--json", "scan"]
    if options.index:
        parts += ["--index", options.index]
    return parts + list(words)


def numbered(findings, ends):
    """Turns the line within a part into the line of the file: the parts before it are known by now."""
    before = {}
    for path, parts in ends.items():
        line = 0
        for start, lines in sorted(parts):
            before[path, start] = line
            line += lines
    for start, finding in findings:
        if "line_in_part" in finding:
            finding["line"] = before[finding["path"], start] + finding.pop("line_in_part")
        yield finding


def gathered(lines):
    """Findings with the part that each was found in, the line ends of each part, and what was not scanned."""
    findings, ends, not_scanned, waiting = [], collections.defaultdict(list), [], []
    for line in lines:
        told = json.loads(line)
        if "not_scanned" in told and "part" not in told:
            not_scanned.append(told["not_scanned"])
            continue
        if "part" not in told:
            waiting.append(told)
            continue
        start = told["part"]["from"] or 0
        findings += [(start, finding) for finding in waiting]
        waiting = []
        ends[told["part"]["path"]].append((start, told["lines"] or 0))
        not_scanned += told["not_scanned"] or []
    if waiting:
        raise RuntimeError("a worker ended in the middle of a part")
    return findings, ends, not_scanned


def main():
    options = arguments()
    from pyspark.sql import SparkSession

    split = subprocess.run(command(options, "--split", options.part, options.folder), stdout=subprocess.PIPE, text=True)
    if split.returncode != 0:
        return 2
    lines = split.stdout.splitlines()
    # Links, pipes and unreadable files have no parts.
    parts = [line for line in lines if "not_scanned" not in json.loads(line)]
    left = [json.loads(line)["not_scanned"] for line in lines if "not_scanned" in json.loads(line)]
    # Neighbours go to different workers: a folder's large files are rarely spread evenly.
    dealt = [part for turn in range(options.partitions) for part in parts[turn :: options.partitions]]
    environment = {"TELLTALE_INDEX_KEY_FILE": options.key_file} if options.key_file else {}
    spark = SparkSession.builder.appName("telltale scan").getOrCreate()
    try:
        piped = spark.sparkContext.parallelize(dealt, options.partitions).pipe(
            shlex.join(command(options, "--parts")), env=environment or None, checkCode=True
        )
        # One element a partition: the lines of a part stay together and in order.
        lines = piped.glom().collect()
    finally:
        spark.stop()
    findings, ends, not_scanned = [], collections.defaultdict(list), left
    for partition in lines:
        found, seen, unread = gathered(partition)
        findings += found
        not_scanned += unread
        for path, starts in seen.items():
            ends[path] += starts
    told = sum(len(starts) for starts in ends.values())
    if told != len(parts):
        print(f"{len(parts) - told} of {len(parts)} parts were not scanned", file=sys.stderr)
        return 2
    for left in not_scanned:
        print(json.dumps({"not_scanned": left}, separators=(",", ":")))
    order = lambda finding: (finding["path"], finding["member"] or "", finding["offset"], finding["marker_kind"])
    for finding in sorted(numbered(findings, ends), key=order):
        print(json.dumps(finding, separators=(",", ":")))
    return 0 if findings else 3 if not_scanned else 1


if __name__ == "__main__":
    sys.exit(main())
