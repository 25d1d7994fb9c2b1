import pathlib

import cpp_reference
import proto_reference
import pytest
from google.protobuf import descriptor_pb2

ROOT = pathlib.Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def contract() -> proto_reference.Reference:
    import google.rpc.status_pb2 as status

    return proto_reference.Reference(
        proto_reference.read_files(ROOT / "proto", pathlib.Path(status.__file__).resolve().parents[2])
    )


def test_every_rpc_message_field_and_value_is_on_its_page(contract: proto_reference.Reference) -> None:
    pages = {page.path: page.body for page in contract.pages()}
    for file in contract.files:
        body = pages[proto_reference.page_of(file)]
        anchors = [f"{service.name}.{method.name}" for service in file.service for method in service.method]
        anchors += [f"{message.name}.{field.name}" for message in file.message_type for field in message.field]
        anchors += [value.name for enum in file.enum_type for value in enum.value]
        assert [anchor for anchor in anchors if f'id="{anchor}"' not in body] == []


def test_the_comment_of_an_rpc_is_on_its_page(contract: proto_reference.Reference) -> None:
    (body,) = (page.body for page in contract.pages() if page.path.endswith("/midcoder_service.html"))
    assert "<p>Submits an evaluation job.</p>" in body


def test_types_of_fields_lead_to_their_messages() -> None:
    file = descriptor_pb2.FileDescriptorProto(name="superpose/v1/a.proto", package="superpose.v1")
    file.message_type.add(name="Inner")
    outer = file.message_type.add(name="Outer")
    repeated = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
    kind = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
    outer.field.add(name="inners", number=7, label=repeated, type=kind, type_name=".superpose.v1.Inner")
    page = proto_reference.Reference([file]).file_page(file)
    assert '<code>repeated <a href="#Inner">Inner</a></code></td><td>7</td>' in page.body


def test_the_headers_of_the_client_are_those_that_are_installed() -> None:
    names = [path.name for path in cpp_reference.client_headers(ROOT)]
    assert "client.h" in names
    assert "connection.h" not in names


def test_all_folders_of_headers_have_a_page() -> None:
    folders = cpp_reference.read_headers(ROOT)
    paths = {page.path for page in cpp_reference.pages(folders, {})}
    expected = {path.parent.name for path in ROOT.glob("lib/*/*.h")}
    assert paths >= {f"reference/cpp/lib-{name}.html" for name in expected}
    (client,) = (item for header in folders["client/cpp"] for item in header.items if item.code == "class Client")
    assert {"Connect", "GetActivations", "TrainMidcoder", "ReadTensor"} <= {member.name for member in client.members}
