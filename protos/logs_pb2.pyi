from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Log(_message.Message):
    __slots__ = ("name", "data", "id", "level", "service", "protocol", "request_id", "trace_id", "timestamp", "span_id", "fields", "fields_json", "category")
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
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
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
    category: str
    def __init__(self, name: _Optional[str] = ..., data: _Optional[str] = ..., id: _Optional[str] = ..., level: _Optional[str] = ..., service: _Optional[str] = ..., protocol: _Optional[str] = ..., request_id: _Optional[str] = ..., trace_id: _Optional[str] = ..., timestamp: _Optional[str] = ..., span_id: _Optional[str] = ..., fields: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., fields_json: _Optional[str] = ..., category: _Optional[str] = ...) -> None: ...

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

class LogFilter(_message.Message):
    __slots__ = ("q", "since", "until", "name", "level", "level_is", "service", "protocol", "request_id", "trace_id", "span_id", "id", "words", "fields_json", "category")
    Q_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    LEVEL_IS_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    SPAN_ID_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    FIELDS_JSON_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    q: str
    since: str
    until: str
    name: _containers.RepeatedScalarFieldContainer[str]
    level: str
    level_is: _containers.RepeatedScalarFieldContainer[str]
    service: _containers.RepeatedScalarFieldContainer[str]
    protocol: _containers.RepeatedScalarFieldContainer[str]
    request_id: _containers.RepeatedScalarFieldContainer[str]
    trace_id: _containers.RepeatedScalarFieldContainer[str]
    span_id: _containers.RepeatedScalarFieldContainer[str]
    id: _containers.RepeatedScalarFieldContainer[str]
    words: _containers.RepeatedScalarFieldContainer[str]
    fields_json: str
    category: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, q: _Optional[str] = ..., since: _Optional[str] = ..., until: _Optional[str] = ..., name: _Optional[_Iterable[str]] = ..., level: _Optional[str] = ..., level_is: _Optional[_Iterable[str]] = ..., service: _Optional[_Iterable[str]] = ..., protocol: _Optional[_Iterable[str]] = ..., request_id: _Optional[_Iterable[str]] = ..., trace_id: _Optional[_Iterable[str]] = ..., span_id: _Optional[_Iterable[str]] = ..., id: _Optional[_Iterable[str]] = ..., words: _Optional[_Iterable[str]] = ..., fields_json: _Optional[str] = ..., category: _Optional[_Iterable[str]] = ...) -> None: ...

class QueryRequest(_message.Message):
    __slots__ = ("filter", "order", "limit", "cursor")
    class Order(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        NEWEST_FIRST: _ClassVar[QueryRequest.Order]
        OLDEST_FIRST: _ClassVar[QueryRequest.Order]
    NEWEST_FIRST: QueryRequest.Order
    OLDEST_FIRST: QueryRequest.Order
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    filter: LogFilter
    order: QueryRequest.Order
    limit: int
    cursor: str
    def __init__(self, filter: _Optional[_Union[LogFilter, _Mapping]] = ..., order: _Optional[_Union[QueryRequest.Order, str]] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class QueryResponse(_message.Message):
    __slots__ = ("entries", "next_cursor", "complete", "hint")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_CURSOR_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[Log]
    next_cursor: str
    complete: bool
    hint: str
    def __init__(self, entries: _Optional[_Iterable[_Union[Log, _Mapping]]] = ..., next_cursor: _Optional[str] = ..., complete: _Optional[bool] = ..., hint: _Optional[str] = ...) -> None: ...

class CountRequest(_message.Message):
    __slots__ = ("filter",)
    FILTER_FIELD_NUMBER: _ClassVar[int]
    filter: LogFilter
    def __init__(self, filter: _Optional[_Union[LogFilter, _Mapping]] = ...) -> None: ...

class CountResponse(_message.Message):
    __slots__ = ("count", "complete", "counted_since", "hint")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    COUNTED_SINCE_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    count: int
    complete: bool
    counted_since: str
    hint: str
    def __init__(self, count: _Optional[int] = ..., complete: _Optional[bool] = ..., counted_since: _Optional[str] = ..., hint: _Optional[str] = ...) -> None: ...

class TailRequest(_message.Message):
    __slots__ = ("filter", "history", "last_event_id")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    filter: LogFilter
    history: int
    last_event_id: str
    def __init__(self, filter: _Optional[_Union[LogFilter, _Mapping]] = ..., history: _Optional[int] = ..., last_event_id: _Optional[str] = ...) -> None: ...

class TailEvent(_message.Message):
    __slots__ = ("id", "entry", "missed", "live")
    ID_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    id: str
    entry: Log
    missed: TailMissed
    live: TailLive
    def __init__(self, id: _Optional[str] = ..., entry: _Optional[_Union[Log, _Mapping]] = ..., missed: _Optional[_Union[TailMissed, _Mapping]] = ..., live: _Optional[_Union[TailLive, _Mapping]] = ...) -> None: ...

class TailMissed(_message.Message):
    __slots__ = ("count", "since", "until")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    count: int
    since: str
    until: str
    def __init__(self, count: _Optional[int] = ..., since: _Optional[str] = ..., until: _Optional[str] = ...) -> None: ...

class TailLive(_message.Message):
    __slots__ = ("complete",)
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    complete: bool
    def __init__(self, complete: _Optional[bool] = ...) -> None: ...
