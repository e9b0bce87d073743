package org.aeraki.peer;

import java.util.Map;
import java.util.TreeMap;

/** Writes the few shapes of the contract's lines. */
final class Json {
    private final StringBuilder b = new StringBuilder("{");

    Json text(String key, String value) {
        return raw(key, quote(value));
    }

    Json number(String key, long value) {
        return raw(key, Long.toString(value));
    }

    Json number(String key, double value) {
        return raw(key, Double.toString(Math.floor(value * 10) / 10));
    }

    Json counts(String key, Map<String, Long> counts) {
        StringBuilder m = new StringBuilder("{");
        new TreeMap<>(counts).forEach(
                (k, n) -> m.append(m.length() > 1 ? "," : "").append(quote(k)).append(':').append(n));
        return raw(key, m.append('}').toString());
    }

    private Json raw(String key, String value) {
        b.append(b.length() > 1 ? "," : "").append(quote(key)).append(':').append(value);
        return this;
    }

    private static String quote(String s) {
        StringBuilder q = new StringBuilder("\"");
        for (char c : s.toCharArray()) {
            if (c == '"' || c == '\\') {
                q.append('\\').append(c);
            } else if (c < ' ') {
                q.append(String.format("\\u%04x", (int) c));
            } else {
                q.append(c);
            }
        }
        return q.append('"').toString();
    }

    @Override
    public String toString() {
        return b + "}";
    }
}
