"""Packs one CSV in many ways, with the programs and libraries that others use: pack.py SOURCE.csv FOLDER."""

import csv, lzma, mailbox, pathlib, random, sqlite3, subprocess, sys, tarfile, zipfile
from email.message import EmailMessage

import pyarrow, pyarrow.parquet

source, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
names, *rows = list(csv.reader(source.open(newline=""), delimiter=";"))
draw = random.Random(7)
# Rows around the marker's, so that blocks, pages and dictionaries are filled.
noise = [[f"{name}{draw.randrange(10**9)}" for name in names] for _ in range(4_000)]
rows = noise[:2_000] + rows + noise[2_000:]
plain = folder / "staff.csv"
with plain.open("w", newline="") as out:
    csv.writer(out, delimiter=";").writerows([names, *rows])


def run(*words):
    subprocess.run([str(word) for word in words], check=True, cwd=folder, stdout=subprocess.DEVNULL)


for method in ["LZMA", "LZMA2", "PPMd", "BZip2", "Deflate", "Copy"]:
    run("7z", "a", f"{method}.7z", f"-m0={method}", plain.name)
run("7z", "a", "bcj.7z", "-m0=BCJ", "-m1=LZMA2", "-mhc=on", plain.name)
run("7z", "a", "encrypted.7z", "-psecret", plain.name)
run("7z", "a", "hidden.7z", "-psecret", "-mhe=on", plain.name)
for method in ["LZMA", "Deflate64", "BZip2", "Deflate", "PPMd"]:
    run("7z", "a", "-tzip", f"{method}.zip", f"-mm={method}", plain.name)
run("7z", "a", "-tzip", "encrypted.zip", "-psecret", plain.name)
run("xz", "-k9", plain.name)
run("bzip2", "-k9", plain.name)
run("zstd", "-q", "-19", plain.name)
run("zstd", "-q", "-19", "--long=25", "-o", "long.zst", plain.name)
(folder / "old.lzma").write_bytes(lzma.compress(plain.read_bytes(), format=lzma.FORMAT_ALONE))
with tarfile.open(folder / "staff.tar.xz", "w:xz", format=tarfile.PAX_FORMAT) as archive:
    archive.add(plain, "é" * 120 + ".csv")
with zipfile.ZipFile(folder / "python.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    archive.write(plain, "hr/staff.csv")

database = sqlite3.connect(folder / "staff.db")
database.execute("PRAGMA auto_vacuum=0")
# Debian's SQLite writes over what it deletes; others do not.
database.execute("PRAGMA secure_delete=OFF")
for table in ["kept", "deleted"]:
    columns = ", ".join(f'"{name}" TEXT' for name in names)
    database.execute(f"CREATE TABLE {table} ({columns})")
    database.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", rows)
database.commit()
database.execute("DROP TABLE deleted")
database.execute("DELETE FROM kept")
database.commit()
database.close()

box = mailbox.mbox(folder / "staff.mbox")
for body in ["nothing here\nFrom here on, nothing\n", plain.read_text()]:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "hr@example.com", "x@example.com", "été"
    message.set_content("as agreed")
    message.add_attachment(body.encode(), maintype="application", subtype="octet-stream", filename="staff.csv")
    box.add(message)
box.close()

table = pyarrow.table({name: [row[at] for row in rows] for at, name in enumerate(names)})
table = table.append_column("number", pyarrow.array(range(len(rows))))
table = table.append_column("list", pyarrow.array([None if at % 3 else [row[0], None, row[1]] for at, row in enumerate(rows)]))
for codec in ["NONE", "SNAPPY", "GZIP", "ZSTD", "BROTLI"]:
    for version in ["1.0", "2.0"]:
        pyarrow.parquet.write_table(
            table, folder / f"{codec}-{version}.parquet", compression=codec, data_page_version=version, row_group_size=3_000
        )
for encoding in ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY", "PLAIN"]:
    strings = {name: encoding for name in names}
    pyarrow.parquet.write_table(
        table.drop(["list"]), folder / f"{encoding}.parquet", use_dictionary=False,
        column_encoding=strings | {"number": "DELTA_BINARY_PACKED"},
    )
