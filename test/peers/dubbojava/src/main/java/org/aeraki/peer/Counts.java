package org.aeraki.peer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashMap;
import java.util.Map;

/**
 * What a server prints at its end and keeps in its count file. A request counts when its handler
 * starts, so that no client can have a reply that is not counted yet.
 */
final class Counts {
    private static final long FILE_INTERVAL_MILLIS = 200;

    private final String name;
    private final Map<String, Long> byMethod = new HashMap<>();
    private long served;

    Counts(String name) {
        this.name = name;
    }

    synchronized void begin(String method) {
        served++;
        byMethod.merge(method, 1L, Long::sum);
    }

    synchronized String line() {
        return new Json().text("name", name).number("served", served).counts("by_method", byMethod).toString();
    }

    /** Rewrites path while there is something new, until the thread is interrupted. */
    void keepFile(Path path) {
        String last = "";
        try {
            while (true) {
                last = writeFile(path, last);
                Thread.sleep(FILE_INTERVAL_MILLIS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (IOException e) {
            System.err.println("peer server: count file: " + e);
        }
    }

    /** Writes by renaming, so that a reader never meets half a file; returns what the file holds. */
    String writeFile(Path path, String last) throws IOException {
        String line = line() + "\n";
        if (!line.equals(last)) {
            Path part = path.resolveSibling(path.getFileName() + ".part");
            Files.writeString(part, line);
            Files.move(part, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        }
        return line;
    }
}
