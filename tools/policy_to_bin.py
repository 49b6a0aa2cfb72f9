#!/usr/bin/env python3
"""Writes an edge policy as its 32 bytes: launches `fusebox policy pack`.

    tools/policy_to_bin.py --input policy.json --output policy.bin
"""
import argparse

from find_fusebox import run


def main():
    parser = argparse.ArgumentParser(description="Converts an edge policy in JSON to its 32-byte file.")
    parser.add_argument("--input", required=True, help="edge policy in JSON")
    parser.add_argument("--output", required=True, help="file to write")
    options = parser.parse_args()
    run(["policy", "pack", "--output=" + options.output, "--", options.input])


if __name__ == "__main__":
    main()
