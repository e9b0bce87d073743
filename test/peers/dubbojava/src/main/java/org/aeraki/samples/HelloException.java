package org.aeraki.samples;

/** The exception that fail declares. */
public class HelloException extends Exception {
    private static final long serialVersionUID = 1L;
    private int code;

    /** The only constructor: fastjson2 would prefer one without a message, and lose it. */
    public HelloException(String message) {
        super(message);
    }

    public int getCode() {
        return code;
    }

    public void setCode(int code) {
        this.code = code;
    }
}
