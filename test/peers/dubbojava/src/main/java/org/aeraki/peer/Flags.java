package org.aeraki.peer;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Command line flags as Go writes them: -name value, -name=value, and -name alone for booleans. */
final class Flags {
    /** What the user got wrong. */
    static final class UsageException extends RuntimeException {
        private static final long serialVersionUID = 1L;

        UsageException(String message) {
            super(message);
        }
    }

    private static final class Flag {
        String value;
        String help;
        boolean bool;
        final List<String> all = new ArrayList<>();
    }

    private final Map<String, Flag> flags = new LinkedHashMap<>();

    Flags text(String name, String value, String help) {
        Flag f = new Flag();
        f.value = value;
        f.help = help;
        flags.put(name, f);
        return this;
    }

    Flags bool(String name, String help) {
        text(name, "false", help);
        flags.get(name).bool = true;
        return this;
    }

    Flags parse(String[] args) {
        for (int i = 0; i < args.length; i++) {
            if (!args[i].startsWith("-")) {
                throw new UsageException("unexpected argument " + args[i]);
            }
            String name = args[i].replaceFirst("^--?", "");
            int equals = name.indexOf('=');
            String value = equals < 0 ? null : name.substring(equals + 1);
            name = equals < 0 ? name : name.substring(0, equals);
            Flag f = flags.get(name);
            if (f == null) {
                throw new UsageException("no flag -" + name + "\n" + usage());
            }
            if (value == null && f.bool) {
                value = "true";
            } else if (value == null) {
                if (++i == args.length) {
                    throw new UsageException("-" + name + " wants a value");
                }
                value = args[i];
            }
            f.value = value;
            f.all.add(value);
        }
        return this;
    }

    private String usage() {
        StringBuilder b = new StringBuilder();
        flags.forEach((name, f) -> b.append("  -").append(name).append(" (").append(f.value).append(")  ")
                .append(f.help).append('\n'));
        return b.toString();
    }

    String text(String name) {
        return flags.get(name).value;
    }

    List<String> all(String name) {
        return flags.get(name).all;
    }

    boolean bool(String name) {
        return Boolean.parseBoolean(text(name));
    }

    long number(String name) {
        try {
            return Long.parseLong(text(name));
        } catch (NumberFormatException e) {
            throw new UsageException("-" + name + " wants a number: " + text(name));
        }
    }

    /** A duration as Go writes it, of one unit. */
    Duration duration(String name) {
        String s = text(name);
        try {
            if (s.endsWith("ms")) {
                return Duration.ofMillis(Long.parseLong(s.substring(0, s.length() - 2)));
            }
            double n = s.equals("0") ? 0 : Double.parseDouble(s.substring(0, s.length() - 1));
            if (s.endsWith("s") || s.equals("0")) {
                return Duration.ofNanos((long) (n * 1e9));
            }
            if (s.endsWith("m")) {
                return Duration.ofNanos((long) (n * 60e9));
            }
        } catch (NumberFormatException e) {
            // Told below.
        }
        throw new UsageException("-" + name + " wants a duration such as 5s or 200ms: " + s);
    }
}
