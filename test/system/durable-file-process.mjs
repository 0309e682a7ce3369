// Replaces a file again and again, until it is killed: a hundred thousand times "a", then as many "b". usage: node … PATH
import { writeFileDurably } from "../../dist/system/durable-file.js";

process.stdout.write("ready\n");
for (let i = 1; ; i++) writeFileDurably(process.argv[2], Buffer.from("ab"[i & 1].repeat(100_000)));
