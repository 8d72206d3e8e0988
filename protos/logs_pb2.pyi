from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Log(_message.Message):
    __slots__ = ("name", "data", "id", "level", "service", "protocol", "request_id", "trace_id", "timestamp", "span_id", "fields", "fields_json")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    SPAN_ID_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    FIELDS_JSON_FIELD_NUMBER: _ClassVar[int]
    name: str
    data: str
    id: str
    level: str
    service: str
    protocol: str
    request_id: str
    trace_id: str
    timestamp: str
    span_id: str
    fields: _struct_pb2.Struct
    fields_json: str
    def __init__(self, name: _Optional[str] = ..., data: _Optional[str] = ..., id: _Optional[str] = ..., level: _Optional[str] = ..., service: _Optional[str] = ..., protocol: _Optional[str] = ..., request_id: _Optional[str] = ..., trace_id: _Optional[str] = ..., timestamp: _Optional[str] = ..., span_id: _Optional[str] = ..., fields: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., fields_json: _Optional[str] = ...) -> None: ...

class LogRequest(_message.Message):
    __slots__ = ("logEntry",)
    LOGENTRY_FIELD_NUMBER: _ClassVar[int]
    logEntry: Log
    def __init__(self, logEntry: _Optional[_Union[Log, _Mapping]] = ...) -> None: ...

class LogResponse(_message.Message):
    __slots__ = ("result", "id")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    result: str
    id: str
    def __init__(self, result: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class WriteLogsRequest(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[Log]
    def __init__(self, entries: _Optional[_Iterable[_Union[Log, _Mapping]]] = ...) -> None: ...

class WriteLogsResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[WriteResult]
    def __init__(self, results: _Optional[_Iterable[_Union[WriteResult, _Mapping]]] = ...) -> None: ...

class WriteResult(_message.Message):
    __slots__ = ("outcome", "id", "reason")
    class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STORED: _ClassVar[WriteResult.Outcome]
        DUPLICATE: _ClassVar[WriteResult.Outcome]
        REFUSED: _ClassVar[WriteResult.Outcome]
    STORED: WriteResult.Outcome
    DUPLICATE: WriteResult.Outcome
    REFUSED: WriteResult.Outcome
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    outcome: WriteResult.Outcome
    id: str
    reason: str
    def __init__(self, outcome: _Optional[_Union[WriteResult.Outcome, str]] = ..., id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class WriteSummary(_message.Message):
    __slots__ = ("stored", "duplicate", "refused", "refusals")
    STORED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    stored: int
    duplicate: int
    refused: int
    refusals: _containers.RepeatedCompositeFieldContainer[Refusal]
    def __init__(self, stored: _Optional[int] = ..., duplicate: _Optional[int] = ..., refused: _Optional[int] = ..., refusals: _Optional[_Iterable[_Union[Refusal, _Mapping]]] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("index", "reason")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    index: int
    reason: str
    def __init__(self, index: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...
