"""Small files of formats that are no text, made without the libraries that read them."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from pathlib import Path


def make_pdf(pages: Sequence[str], *, title: str = "", outline: Sequence[tuple[str, int]] = ()) -> bytes:
    """Return a PDF with one page for each text (a line for each of its lines), and an outline of (heading, page)."""
    bodies: list[str] = []
    first_page, outlines = 4, 4 + 2 * len(pages)
    kids = " ".join(f"{first_page + 2 * n} 0 R" for n in range(len(pages)))
    catalog = "<< /Type /Catalog /Pages 2 0 R" + (f" /Outlines {outlines} 0 R" if outline else "") + " >>"
    bodies += [catalog, f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>"]
    bodies.append("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    for number, text in enumerate(pages):
        lines = "".join(f"1 0 0 1 50 {750 - 15 * n} Tm ({line}) Tj " for n, line in enumerate(text.split("\n")))
        stream = f"BT /F1 12 Tf {lines}ET"
        resources = "/Resources << /Font << /F1 3 0 R >> >> /MediaBox [0 0 600 800]"
        bodies.append(f"<< /Type /Page /Parent 2 0 R {resources} /Contents {first_page + 2 * number + 1} 0 R >>")
        bodies.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    if outline:
        last = outlines + len(outline)
        bodies.append(f"<< /First {outlines + 1} 0 R /Last {last} 0 R /Count {len(outline)} >>")
        for n, (heading, page) in enumerate(outline):
            links = f"/Next {outlines + n + 2} 0 R" if n + 1 < len(outline) else ""
            target = f"/Dest [{first_page + 2 * page} 0 R /Fit]"
            bodies.append(f"<< /Title ({heading}) /Parent {outlines} 0 R {links} {target} >>")
    information = len(bodies) + 1
    bodies.append(f"<< /Title ({title}) >>")
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(bodies, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    trailer = f"<< /Size {len(bodies) + 1} /Root 1 0 R /Info {information} 0 R >>"
    tail = f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n{table}trailer\n{trailer}\nstartxref\n{len(out)}\n%%EOF\n"
    return out + tail.encode("latin-1")


def encrypted_pdf() -> bytes:
    """Return a PDF of one page that needs the password "secret" (AES-256; made with pypdf)."""
    return zlib.decompress(base64.b85decode(_ENCRYPTED))


def make_docx(path: Path) -> None:
    """Write a document with a title, headings, a paragraph, a table with a merged cell."""
    import docx

    document = docx.Document()
    document.add_heading("Handbook", 0)
    document.add_paragraph("What everybody should know.")
    document.add_heading("Holidays", 1)
    document.add_paragraph("Thirty days a year.")
    table = document.add_table(rows=2, cols=2)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "Days"
    table.cell(1, 0).text, table.cell(1, 1).text = "Berlin", "30"
    document.save(str(path))


_ENCRYPTED = (
    "c-oCr&5ImW5J$+x#vmjhf|qw$^kVvbf55Pi?9QOZu)~Z7A>{Br>TM?3?OuC&HpyPR<RIvuAfk8CgGTY-#f#`c!3YXoL{EBC1o5I)&+g6"
    ")Ob+(+Kvli>e)a2mzp9Pl_TX7|K^7Z7|MJa)f)PsUaI@(3igMW0X%?X&J*Sll+FJugQKn*YAi33vf%M4<%7cj^2Ogu0QCOOjN<qo!12~"
    "sJY!;iF1yrd+<|`Rqx_bbm9Qs|D7Ufnwt6IW}^7152$u%Nz<A_{eIV#qUZu!>l)w{(p2I;UzMY%I;_a+tkX6`Qm<U?~8<p`$rtciG{TN"
    "%{IV{R~_P7&}euRxmkOZ6QjNAagAB^LkJJML8rRXZj6n8DCD=$`Od=2vU^yIe&%o`rVqc0sJbB|n8Zi}E?xJA`%;{R)a+L3t6X-S!63="
    "+>ug1Af1F`-308=$$+I^RdTovA>>p@}oD;JoVFA`_KK?-}&&@Pe1?u%cJ}6o`2-`^wwv8Tz=(^(e2y!zB_*{e*ED5Z*LaA{X2eb^2yha"
    "-aEVb!h1jdefa9r&z$+H%X<QS!oVyUENR&lT33m}suH~*$Q9Z{BDs@J8}2w(ce2-_xXN+stK^%6_l8RIF&G0nWvz5jN(RoI7uspzA!_Y"
    "|6EaX1tT8q*nPUvhD4C?NQYpi%&q`R7oj{oampR#}xsXm-<0Qvhe3|r2qDf#5XI)|@3ZRmDCK3$-M6x!ba<i9_B7hD-TO*xtIcUhnC2f"
    "P((NLwC<IX4*vo}rzY>|*Cs={NIt-)ME<2IdG7iaB_{$Zzza=VT@2T*mJu8{I#e|%Le3MKfd+Q#kvfE)vKPP24&`lRP=2w8ap%yOGu;L"
    "0W+B^SVw3zj9yKvO22j1CwVK435U%)D?$0)(y*2;&@QEGc{fRwqeoG|d`J7KTSh0|+#&rJM<tO=Q_AYMe@zD-YgEgc(A!kByTgbKV)Ig"
    "~C#b*qsv5Q<L!igof1_aHoM>P~r-@cnFRdp-3i+7{hLvuT+Z|V`4pK_*#q$vlbJ29Z!n&n0m-QW%V-FHh!`P&0Oc>$r0dZl%u+Ci8${4"
    "=c`;3c4BYitmvu8ouk=1tSbYWjbf-$8c-@+Qeig#&la3A{VFzh4_abR$I7(zO*=0pW0Dmc8~vR@@gJo^m}d"
)
