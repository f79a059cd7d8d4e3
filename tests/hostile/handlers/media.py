"""Media of a few kilobytes that ask for gigabytes or hours, and pictures that are not videos."""

from __future__ import annotations

import base64
import struct
import zlib

from tests.hostile.exchange import Exchange

SAMPLES = 40_000_000
_PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}
_SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
_GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
# An MP4 of one black 8K picture by x264, and its next 16, each of which says that nothing has changed, 156 times: 100 s.
_PACKED_8K = (
    "c-"
    "rmS&yU<@9l&940;rWh6ww1nDRM<B0_tvNrrTArVx%;ou&O|Cp@#}I_1d0{+3|Q{dw*33<$zFxICDrYxx$STC!`=%0xn#k6^C#^aB2Ams^#@0Ax_)$)&uC7eZ"
    "Dh(Jsx{Mp6f(W6i?gZWzke+6rGB?*D#~xARU&=&0!QpPfY7PkJjEhEVHBy$9(fspFBCa{I{3?^}Bz(we#CwKL6MFtuMdx?$Ky#GhUC=s?Ou#){9|tXCv%7|D"
    "Er>{H^uP_@!5`g!i&M4R2hjmdEpa+Qy^7;Dz<kVALHwYun}a`SXW|hZ_e)mRIv+u~F4m&v)nDn6>3R98)dZqFOZDahmKV>39&=`E)#tvwU}6rF-MScKC~vMK"
    "V8b@@^HE`8X?*xY^$gTZ4Gn9EZch^Q6wk!;L{WBs|4sag=A1?p)m`CUvs7nvaKDaXPE3GMR*r4&%1Y=kuZoM_f3%kfm+dNUxRQIm?smjcSpPN5kib!+4rB?P"
    "S^P70d9U`zN@zoK(|klXo9#XLa~M6W*Lx)m}0Si^;=%&AdqShdT!GqF!AhEy|?r{*7YM=Jh-"
    "Y2ZjB+^ZhzGo}^W|OjiF;xHoN`6pL_*aA2Ku$4u*_%)3(^=Ec=ny9`@<`EhuAeDUJN`<s)pSd7EB(4_eyPxrfXtv=t~lR9r^-JMRyX+4e0-"
    "EbqiTNxJP(F+@c_*!@Q@nB;sY%aU=tX`9&@z%w#(X{z;ycrkEa96{37jF7y_=c{H2hsIt?Z?~sjh}9R?&r~|SAKIR`o{D^^u#az<njOf_{$IX0RR91000000"
    "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000DzCl-"
    "6)EleCcNVN)){p-?_KA^jdH6dVg`fzqtLQ-r`Pwaksa)74;W!e{re5c)h>4-"
    "e2^ubE|)yTm9?Y>|aNZ9zA;W=+UD`j~+dG^ytx}M~@yodi3bgqeqV(J$m%$(W6I?9zA;W=+UD`j~+dG^ytx}M~@yodi3bgqeqV(J$m%$(W6I?9zA;W=+UD`j"
    "~+dG^ytx}M~@yodi3bgqeqV(J$m%$(W6I?9zA;W=+UD`j~+dG^ytx}M~@yodi3bgqeqV(J$m#!zUOPtl~r{RcFxO#Sr$F=IQ`FP?Ps^6wW#y(vG(Xu?_XbvK"
    "JsxYioW{YwodlK_7B><)iqCl;B4J>qmRDMhh6teVV=6XTAt0bwh6Ci@_Ez#_Y)7!yZY?8Ka^RKgpIh&-rqioqR-"
    "!mzW?TGu|CV@^@Dc~iY)IR`D$2KJINxO=iM>q>ati&!^YDG<?5vUfAeg1@4YiwolkoipWd(M@xASHqo&=RhwWcCZIktmxtScK!^hl;5FWC3!p6?yj`+ai3nw"
    "Sxc@WNeW$p5vub=!q`r_5_`gU{_J^S`k-"
    "IvlmosR!~{qpU#=o7O)fA)`E)oxqgzn$lP|KLnbySml)ulwYit8Y0R8wz^+S92!pOCR0W9pAlv<!pHGjfekW*uVCZ8)4%!#u#IaF~%5Uj4{R-V~jDz7-"
    "Nhv#u#JF|M)!Jv}x7*{oEkT?ta#GKVy8Y%vZ17<JtaC7R#)tljU;W|M}l~aqoAL&;6>cx)VN=C94mwemMB;<Y2lr+873d(SHE*cAp*"
)


def endless_8k() -> bytes:
    """Returns a video of 141 KB with 2,500 pictures of 7680x4320, of 28 bytes each."""
    return zlib.decompress(base64.b85decode("".join(_PACKED_8K)))


def endless_samples(video: bytes) -> bytes:
    """Returns a video of 1.6 KB whose tables claim 40 million samples of one byte. video: an MP4 whose index comes first."""
    tables = {
        b"stsz": struct.pack(">III", 0, 1, SAMPLES),
        b"stts": struct.pack(">IIII", 0, 1, SAMPLES, 1),
        b"stsc": struct.pack(">IIIII", 0, 1, 1, SAMPLES, 1),
        b"ctts": struct.pack(">II", 0, 0),
        b"stss": struct.pack(">III", 0, 1, 1),
        b"mdat": bytes(64),
    }
    return _with_tables(video, tables)


def _with_tables(data: bytes, tables: dict[bytes, bytes]) -> bytes:
    """Returns a file, or the content of a box, with other content in some boxes."""
    boxes, at = [], 0
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        content = data[at + 8 : at + size]
        content = tables.get(kind, _with_tables(content, tables) if kind in _PARENTS else content)
        boxes.append(struct.pack(">I4s", 8 + len(content), kind) + content)
        at += size
    return b"".join(boxes)


async def pictures_8k(exchange: Exchange) -> None:
    await exchange.send(200, endless_8k(), "video/mp4")


async def samples(exchange: Exchange) -> None:
    await exchange.send(200, endless_samples(exchange.video), "video/mp4")


async def still(exchange: Exchange) -> None:
    await exchange.send(200, _GIF, "video/mp4")


async def drawing(exchange: Exchange) -> None:
    await exchange.send(200, _SVG, "video/mp4")


ROUTES = {"/8k.mp4": pictures_8k, "/samples.mp4": samples, "/still.mp4": still, "/drawing.mp4": drawing}
