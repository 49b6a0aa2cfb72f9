#!/usr/bin/env python3
"""Writes a deployment's build inputs: launches `fusebox edge build`.

    tools/gen_app_config.py --input app_config.json --output-dir DIR [--strict]
"""
import argparse

from find_fusebox import run


def main():
    parser = argparse.ArgumentParser(description="Writes fuse_app_config.h, fuse_hal_flags.cmake and policy binaries.")
    parser.add_argument("--input", required=True, help="the deployment, app_config.json")
    parser.add_argument("--output-dir", required=True, help="folder for the files; made when missing")
    parser.add_argument("--strict", action="store_true", help="unknown keys are errors everywhere")
    options = parser.parse_args()
    command = ["edge", "build", "--output-dir=" + options.output_dir]
    if options.strict:
        command.append("--strict")
    run(command + ["--", options.input])


if __name__ == "__main__":
    main()
