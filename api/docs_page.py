"""The reference for people at /docs: the OpenAPI document as one page; no script, nothing from elsewhere."""

import json
from typing import Any

from fastapi import APIRouter, FastAPI
from jinja2 import Environment, StrictUndefined
from starlette.responses import HTMLResponse, JSONResponse, Response

METHODS = ("get", "post", "put", "patch", "delete")
STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --muted: #535b66; --page: #eef0f2; --surface: #fff; --rule: #c9ced6;
  --link: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ed; --muted: #a6afba; --page: #14171b; --surface: #1d2126;
  --rule: #39414b; --link: #74b7f7; } }
body { margin: 0; font: 14px/22px system-ui, sans-serif; color: var(--text); background: var(--page); }
main { max-width: 64rem; margin: 0 auto; padding: 16px; }
h1 { font-size: 20px; } h2 { font-size: 16px; margin-top: 32px; }
a { color: var(--link); } code, pre { font: 13px/20px ui-monospace, monospace; }
pre { overflow-x: auto; padding: 8px; border: 1px solid var(--rule); margin: 8px 0; }
details { background: var(--surface); border: 1px solid var(--rule); margin: 8px 0; padding: 0 12px; }
summary { padding: 8px 0; cursor: pointer; overflow-wrap: anywhere; }
summary b { display: inline-block; min-width: 4.5em; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; margin: 8px 0; } th, td { text-align: start; vertical-align: top;
  padding: 4px 8px; border-bottom: 1px solid var(--rule); overflow-wrap: anywhere; }
.muted { color: var(--muted); } .lines { white-space: pre-line; }
"""
TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Forewarn API</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/docs/reference.css">
</head><body><main>
<h1>Forewarn API</h1>
<p class="lines">{{ document.info.description }}</p>
<p><a href="/api/v1/openapi.json">OpenAPI 3.1 document</a></p>
<nav aria-label="Contents"><ul>{% for tag in groups %}<li><a href="#{{ tag|replace(' ', '-') }}">{{ tag }}</a></li>
{% endfor %}<li><a href="#schemas">schemas</a></li></ul></nav>
{% for tag, operations in groups.items() %}
<h2 id="{{ tag|replace(' ', '-') }}">{{ tag }}</h2>
{% for o in operations %}
<details id="{{ o.id }}"><summary><b>{{ o.method }}</b> <code>{{ o.path }}</code> <span class="muted">{{ o.summary }}
</span></summary>
<p class="lines">{{ o.description }}</p>
{% if o.parameters %}<table><thead><tr><th>Parameter</th><th>In</th><th>Type</th><th>Meaning</th></tr></thead><tbody>
{% for p in o.parameters %}<tr><td><code>{{ p.name }}</code>{{ ' (required)' if p.required else '' }}</td>
<td>{{ p.in }}</td><td>{{ p.type }}</td><td>{{ p.description }}</td></tr>{% endfor %}</tbody></table>{% endif %}
{% if o.body %}<p>Body: <a href="#schema-{{ o.body }}">{{ o.body }}</a></p>{% endif %}
<table><thead><tr><th>Status</th><th>Answer</th><th>Meaning</th></tr></thead><tbody>
{% for r in o.responses %}<tr><td>{{ r.status }}</td><td>{% if r.schema %}<a href="#schema-{{ r.schema }}">
{{ r.schema }}</a>{% else %}{{ r.media }}{% endif %}</td><td>{{ r.description }}</td></tr>{% endfor %}
</tbody></table></details>
{% endfor %}{% endfor %}
<h2 id="schemas">schemas</h2>
{% for name, text in schemas.items() %}<details id="schema-{{ name }}"><summary><code>{{ name }}</code></summary>
<pre tabindex="0">{{ text }}</pre></details>
{% endfor %}
</main></body></html>
"""


def build_docs_router(app: FastAPI) -> APIRouter:
    """The document and its page."""
    router = APIRouter(include_in_schema=False)
    pages: list[str] = []

    @router.get("/api/v1/openapi.json")
    def read_openapi() -> JSONResponse:
        return JSONResponse(app.openapi())

    @router.get("/docs")
    def read_reference() -> HTMLResponse:
        if not pages:
            template = Environment(autoescape=True, undefined=StrictUndefined).from_string(TEMPLATE)
            pages.append(template.render(**describe_page(app.openapi())))
        return HTMLResponse(pages[0])

    @router.get("/docs/reference.css")
    def read_style() -> Response:
        return Response(STYLE, media_type="text/css", headers={"Cache-Control": "public, max-age=3600"})

    return router


def describe_page(document: dict[str, Any]) -> dict[str, Any]:
    """The document's operations by tag, and its schemas as text: what the template needs."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                operation = item[method]
                tag = operation.get("tags", ["other"])[0]
                groups.setdefault(tag, []).append(_describe_operation(path, method, operation))
    schemas = {
        name: json.dumps(schema, indent=2, ensure_ascii=False)
        for name, schema in sorted(document["components"]["schemas"].items())
    }
    return {"document": document, "groups": groups, "schemas": schemas}


def _describe_operation(path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        "body": _name(body),
        "parameters": [
            {
                "name": p["name"],
                "in": p["in"],
                "required": p.get("required", False),
                "type": _name_type(p["schema"]),
                "description": p.get("description", ""),
            }
            for p in operation.get("parameters", [])
        ],
        "responses": [_describe_response(status, r) for status, r in sorted(operation["responses"].items())],
    }


def _describe_response(status: str, response: dict[str, Any]) -> dict[str, Any]:
    media = next(iter(response.get("content", {})), "")
    schema = response["content"][media].get("schema", {}) if media else {}
    return {"status": status, "media": media, "schema": _name(schema), "description": response.get("description", "")}


def _name(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _name_type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(name for part in schema["anyOf"] if (name := _name_type(part)) != "null")
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"])
    if "items" in schema:
        return f"several of: {_name_type(schema['items'])}"
    return _name(schema) or str(schema.get("format") or schema.get("type", ""))
