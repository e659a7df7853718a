import Domain
import Kernel

/// The page for people: a list of operations that needs no script, and, where the assets of Swagger UI are there, that on top.
enum HumanPage {
  /// Nothing from elsewhere: scripts, styles and data come from this host alone. Swagger UI sets styles on elements.
  static let policy =
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    + "font-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

  struct Facts {
    var title: String
    /// Where the document is, and where the assets are; nil: there are none.
    var document: String
    var assets: String?
    /// Said where the list is not everything.
    var note = ""
  }

  static func bytes(_ facts: Facts, _ operations: [Described]) -> [UInt8] {
    let out = Arena(capacity: 16 << 10)
    out.append("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>")
    text(facts.title, out)
    // Without the empty icon a browser asks for /favicon.ico.
    out.append(
      "</title><meta name=\"viewport\" content=\"width=device-width\"><link rel=\"icon\" href=\"data:,\">")
    if let assets = facts.assets {
      out.append("<link rel=\"stylesheet\" href=\"\(assets)/swagger-ui.css\">")
    }
    out.append("<style>")
    out.append(style)
    out.append("</style></head><body>\n<div id=\"ui\" data-document=\"")
    text(facts.document, out)
    out.append("\"></div>\n<main id=\"list\"><h1>")
    text(facts.title, out)
    out.append("</h1>\n<p>The whole, for programs: <a href=\"")
    text(facts.document, out)
    out.append("\">")
    text(facts.document, out)
    out.append("</a></p>\n")
    if !facts.note.isEmpty {
      out.append("<p>")
      text(facts.note, out)
      out.append("</p>\n")
    }
    list(operations, out)
    out.append("</main>\n")
    if let assets = facts.assets {
      out.append("<script src=\"\(assets)/swagger-ui-bundle.js\"></script>")
      out.append("<script src=\"\(assets)/start.js\"></script>\n")
    }
    out.append("</body></html>\n")
    return Array(out.span(out.all))
  }

  private static func list(_ operations: [Described], _ out: Arena) {
    var tag = ""
    var isOpen = false
    for operation in operations {
      if operation.tag != tag {
        if isOpen { out.append("</dl>\n") }
        out.append("<h2>")
        text(operation.tag, out)
        out.append("</h2>\n<dl>\n")
        tag = operation.tag
        isOpen = true
      }
      out.append("<dt><b>\(operation.method.rawValue)</b> <code>")
      text(operation.template, out)
      out.append("</code>")
      if operation.deprecation != nil { out.append(" <em>deprecated</em>") }
      out.append("</dt><dd>")
      text(operation.summary, out)
      if !operation.scopes.isEmpty {
        out.append(" <small>")
        text(operation.scopes.joined(separator: " or "), out)
        out.append("</small>")
      }
      out.append("</dd>\n")
    }
    if isOpen { out.append("</dl>\n") }
  }

  /// Text between tags or in a quoted attribute.
  static func text(_ text: String, _ out: Arena) {
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "&"): out.append("&amp;")
      case UInt8(ascii: "<"): out.append("&lt;")
      case UInt8(ascii: ">"): out.append("&gt;")
      case UInt8(ascii: "\""): out.append("&quot;")
      default: out.append(byte)
      }
    }
  }

  private static let style: StaticString = """
    main{max-width:60rem;margin:2rem auto;padding:0 1rem;font:16px/1.5 system-ui,sans-serif}
    dt{margin-top:.7rem}dt b{display:inline-block;min-width:4.5rem}dd{margin-left:4.8rem}small{color:#666}
    #key{margin:1rem;font:16px system-ui,sans-serif}
    """

  /// Puts Swagger UI in the list's place. A key that is typed in is sent with what the page asks of this host, and kept
  /// nowhere.
  static let script = """
    "use strict";
    (function () {
      var place = document.getElementById("ui"), key = "";
      function send(request) {
        if (key && new URL(request.url, location.href).origin === location.origin && !request.headers.Authorization) {
          request.headers.Authorization = "Bearer " + key;
        }
        return request;
      }
      function show() {
        SwaggerUIBundle({
          url: place.dataset.document, domNode: ui, requestInterceptor: send, validatorUrl: null, deepLinking: true,
          onComplete: function () { document.getElementById("list").hidden = true; }
        });
      }
      var line = document.createElement("p"), field = document.createElement("input");
      line.id = "key";
      line.textContent = "Key: ";
      field.type = "password";
      field.autocomplete = "off";
      field.addEventListener("change", function () { key = field.value.trim(); show(); });
      line.appendChild(field);
      var ui = document.createElement("div");
      place.appendChild(line);
      place.appendChild(ui);
      show();
    })();

    """
}
