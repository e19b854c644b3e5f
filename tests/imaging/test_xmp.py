from __future__ import annotations

import pytest

from unfade.errors import UsageError
from unfade.imaging import xmp

NEW = (
    '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
    ' xmlns:u="http://example.org/unfade/" u:seed="7">'
    "<xmp:CreatorTool>unfade</xmp:CreatorTool></rdf:Description>"
)
PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
    ' tiff:Orientation="6" xmp:CreatorTool="scanner">'
    "<dc:title><rdf:Alt><rdf:li xml:lang='x-default'>Größe &amp; Glück</rdf:li></rdf:Alt>"
    "</dc:title>"
    "<tiff:ImageWidth>1</tiff:ImageWidth><xmp:Thumbnails>old face</xmp:Thumbnails>"
    '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
).encode()


def merged(packet: bytes | None, new: str | None) -> str:
    result = xmp.merge(packet, new, height=3, width=5)
    assert result is not None
    return result.decode()


def test_a_new_packet_is_made_where_there_is_none():
    text = merged(None, NEW)
    assert text.startswith("<?xpacket begin=") and text.endswith('<?xpacket end="w"?>')
    assert 'u:seed="7"' in text and "<xmp:CreatorTool>unfade</xmp:CreatorTool>" in text


def test_ours_goes_in_and_theirs_is_kept():
    text = merged(PACKET, NEW)
    assert "Größe &amp; Glück" in text and 'u:seed="7"' in text
    assert "scanner" not in text  # set by ours: a property stands once
    assert text.startswith("<?xpacket begin=") and text.count("<?xpacket") == 2


def test_what_is_no_longer_true_is_mended():
    text = merged(PACKET, None)
    assert 'tiff:Orientation="1"' in text
    assert "<tiff:ImageWidth>5</tiff:ImageWidth>" in text
    assert "old face" not in text and "scanner" in text


def test_a_packet_without_any_need_of_change_is_kept_byte_for_byte():
    packet = merged(None, NEW).encode()
    assert xmp.merge(packet, None, height=3, width=5) == packet
    assert xmp.merge(None, None, height=1, width=1) is None


def test_merging_twice_leaves_one():
    once = merged(PACKET, NEW)
    assert merged(once.encode(), NEW).count("u:seed") == once.count("u:seed") == 1
    again = merged(once.encode(), NEW.replace('u:seed="7"', 'u:seed="8"'))
    assert 'u:seed="8"' in again and 'u:seed="7"' not in again


@pytest.mark.parametrize(
    "junk",
    [
        b"not xml",
        b"<a/>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        b"<a>" * 5000 + b"</a>" * 5000,
    ],
)
def test_a_broken_packet_is_left_out_with_a_warning(junk: bytes, caplog: pytest.LogCaptureFixture):
    assert xmp.merge(junk, None, height=1, width=1) is None
    assert "left out" in caplog.text
    assert 'u:seed="7"' in merged(junk, NEW)


def test_padding_and_utf16_are_read():
    assert "Glück" in merged(PACKET + b" \n" * 2000 + b"\0", NEW)
    text = PACKET.decode().replace("<?xpacket", "<!--").replace("?>", "-->")
    assert "Glück" in merged(text.encode("utf-16"), NEW)


@pytest.mark.parametrize("wrong", ["<rdf:Description", "text", "<a xmlns='b'/>"])
def test_a_wrong_description_is_a_usage_error(wrong: str):
    with pytest.raises(UsageError, match="rdf:Description"):
        xmp.merge(None, wrong, height=1, width=1)
